# Addresses: text to numbers and back, with route domains and prefix lengths. A parsed address is a list of route
# domain, family (4 or 6), number and prefix length.

namespace eval ::tmm {}
namespace eval ::cmd::IP {}

proc ::tmm::parse_address {text} {
  set length ""
  set domain 0
  set address $text
  if {[set at [string first / $address]] >= 0} {
    set length [string range $address $at+1 end]
    set address [string range $address 0 $at-1]
  }
  if {[set at [string first % $address]] >= 0} {
    set domain [string range $address $at+1 end]
    set address [string range $address 0 $at-1]
    if {![regexp {^[0-9]{1,5}$} $domain]} {return {}}
    scan $domain %d domain
  }
  if {[set number [::tmm::parse_v4 $address]] ne ""} {
    set family 4
    set bits 32
  } elseif {[set number [::tmm::parse_v6 $address]] ne ""} {
    set family 6
    set bits 128
  } else {
    return {}
  }
  if {$length eq ""} {return [list $domain $family $number $bits]}
  if {[regexp {^[0-9]{1,3}$} $length]} {
    scan $length %d length
  } elseif {$family == 4 && [set mask [::tmm::parse_v4 $length]] ne ""} {
    set length [::tmm::length_of_mask $mask]
  } else {
    return {}
  }
  if {$length > $bits} {return {}}
  return [list $domain $family $number $length]
}

proc ::tmm::parse_v4 {text} {
  if {![regexp {^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$} $text]} {return ""}
  scan $text %d.%d.%d.%d a b c d
  if {$a > 255 || $b > 255 || $c > 255 || $d > 255} {return ""}
  expr {($a << 24) | ($b << 16) | ($c << 8) | $d}
}

proc ::tmm::parse_v6 {text} {
  if {[regexp {^(.*:)([0-9.]+)$} $text -> head tail] && [string first . $tail] >= 0} {
    if {[set number [::tmm::parse_v4 $tail]] eq ""} {return ""}
    set text $head[format %x:%x [expr {$number >> 16}] [expr {$number & 0xffff}]]
  }
  if {[string first : $text] < 0 || ![regexp {^[0-9a-fA-F:]+$} $text]} {return ""}
  set groups [split $text :]
  if {[set at [string first :: $text]] >= 0} {
    set left [::tmm::groups [string range $text 0 $at-1]]
    set right [::tmm::groups [string range $text $at+2 end]]
    set missing [expr {8 - [llength $left] - [llength $right]}]
    if {$missing < 1} {return ""}
    set groups [concat $left [lrepeat $missing 0] $right]
  }
  if {[llength $groups] != 8} {return ""}
  set hex ""
  foreach group $groups {
    if {![regexp {^[0-9a-fA-F]{1,4}$} $group]} {return ""}
    append hex [string repeat 0 [expr {4 - [string length $group]}]] $group
  }
  expr 0x$hex
}

proc ::tmm::groups {text} {
  if {$text eq ""} {return {}}
  split $text :
}

proc ::tmm::length_of_mask {mask} {
  set length 0
  while {$length < 32 && ($mask >> (31 - $length)) & 1} {incr length}
  if {$mask != ((0xffffffff << (32 - $length)) & 0xffffffff)} {return 999}
  return $length
}

proc ::tmm::network_of {family number length} {
  set bits [expr {$family == 4 ? 32 : 128}]
  expr {$number >> ($bits - $length) << ($bits - $length)}
}

proc ::tmm::format_address {domain family number} {
  if {$family == 4} {
    set text [expr {$number >> 24}].[expr {($number >> 16) & 255}].[expr {($number >> 8) & 255}].[expr {$number & 255}]
  } else {
    set text [::tmm::format_v6 $number]
  }
  if {$domain != 0} {append text % $domain}
  return $text
}

# As RFC 5952: the first longest run of zeros is left out, and a mapped address keeps its dots.
proc ::tmm::format_v6 {number} {
  if {$number >> 32 == 0xffff} {return ::ffff:[::tmm::format_address 0 4 [expr {$number & 0xffffffff}]]}
  set groups {}
  for {set shift 112} {$shift >= 0} {incr shift -16} {
    lappend groups [format %x [expr {($number >> $shift) & 0xffff}]]
  }
  set text [join $groups :]
  for {set run 8} {$run >= 2} {incr run -1} {
    set zeros [join [lrepeat $run 0] :]
    if {[regexp -indices "(^|:)${zeros}(:|\$)" $text found]} {
      lassign $found first last
      return [string range $text 0 $first-1]::[string range $text $last+1 end]
    }
  }
  return $text
}

# IP::addr A mask M, IP::addr A equals B, IP::addr A.
proc ::cmd::IP::addr {args} {
  if {[lindex $args 0] eq "parse"} {return -code error "the simulator does not know IP::addr parse"}
  lassign $args first word second
  set left [::tmm::parse_address $first]
  if {$left eq ""} {return -code error "bad IP network address format ($first)"}
  lassign $left domain family number length
  if {[llength $args] == 1} {return [::tmm::format_address $domain $family [::tmm::network_of $family $number $length]]}
  if {[llength $args] != 3} {return -code error {wrong # args: should be "IP::addr addr ?equals|mask addr?"}}
  if {$word eq "mask"} {
    if {[regexp {^[0-9]+$} $second]} {
      set mask [::tmm::network_of $family [expr {$family == 4 ? 0xffffffff : (1 << 128) - 1}] $second]
    } elseif {$family == 4} {
      set mask [::tmm::parse_v4 $second]
    } else {
      set mask [::tmm::parse_v6 $second]
    }
    if {$mask eq ""} {return -code error "bad IP mask format ($second)"}
    return [::tmm::format_address $domain $family [expr {$number & $mask}]]
  }
  set right [::tmm::parse_address $second]
  if {$right eq ""} {return -code error "bad IP network address format ($second)"}
  lassign $right domain2 family2 number2 length2
  switch -- $word {
    equals - eq {}
    default {return -code error "bad operator \"$word\": must be equals or mask"}
  }
  if {$domain != $domain2 || $family != $family2} {return 0}
  set shared [expr {min($length, $length2)}]
  expr {[::tmm::network_of $family $number $shared] == [::tmm::network_of $family $number2 $shared]}
}
