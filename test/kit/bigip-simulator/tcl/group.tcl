# Data groups. A group is filled under a number of its own and takes its name in one
# step, for all TMMs at once, so that no event sees half of it. An address is found by one hash look-up for each prefix
# length in use; a string for each key length in use; only `contains` walks over the keys.

namespace eval ::tmm {
  # Full path → number.
  variable group
  # Number → string, ip or integer; number of records; keys in order, made when first asked for.
  variable group_type
  variable group_size
  variable group_keys
  # Of an ip group: "number domain family" → prefix lengths, longest first. Of a string group: number → key lengths.
  variable group_lengths
  variable group_domains
}

proc ::tmm::on_group_begin {number type} {
  variable group_type
  variable group_size
  set group_type($number) $type
  set group_size($number) 0
  array set ::tmm::g$number {}
  set ::tmm::group_lengths($number) {}
  set ::tmm::group_domains($number) {}
}

proc ::tmm::on_group_add {number records} {
  variable group_type
  variable shared
  upvar #0 ::tmm::g$number G ::tmm::l$number L
  if {$group_type($number) ne "ip"} {
    foreach {key value} $records {
      set G($key) [::tmm::once $value]
      set L([string length $key]) 1
    }
    return
  }
  foreach {key value} $records {
    # Nearly all records of a large group look like this.
    if {[scan $key %d.%d.%d.%d/%d%c a b c d length rest] == 5} {
      set L(0,4,$length) 1
      set G(0,4,$length,[expr {(($a << 24) | ($b << 16) | ($c << 8) | $d) >> (32 - $length)}]) [::tmm::once $value]
      continue
    }
    set parsed [::tmm::parse_address $key]
    if {$parsed eq ""} continue
    lassign $parsed domain family address length
    set L($domain,$family,$length) 1
    set G($domain,$family,$length,[expr {$address >> (($family == 4 ? 32 : 128) - $length)}]) [::tmm::once $value]
  }
}

# Equal values are held once: a million records often have a few hundred.
proc ::tmm::once {value} {
  variable shared
  if {![info exists shared($value)]} {set shared($value) $value}
  return $shared($value)
}

proc ::tmm::on_group_commit {number name} {
  variable group
  variable shared
  variable group_lengths
  upvar #0 ::tmm::l$number L
  array unset shared
  set ::tmm::group_size($number) [array size ::tmm::g$number]
  if {$::tmm::group_type($number) eq "ip"} {
    foreach key [array names L] {
      lassign [split $key ,] domain family length
      lappend group_lengths($number,$domain,$family) $length
    }
    foreach key [array names group_lengths $number,*] {
      set group_lengths($key) [lsort -integer -decreasing $group_lengths($key)]
    }
  } else {
    set group_lengths($number) [lsort -integer -decreasing [array names L]]
  }
  array unset L
  set before [expr {[info exists group($name)] ? $group($name) : ""}]
  set group($name) $number
  if {$before ne ""} {::tmm::forget_group $before}
}

proc ::tmm::on_group_drop {name} {
  variable group
  if {![info exists group($name)]} return
  ::tmm::forget_group $group($name)
  unset group($name)
}

proc ::tmm::forget_group {number} {
  unset -nocomplain ::tmm::g$number ::tmm::group_type($number) ::tmm::group_size($number) ::tmm::group_keys($number)
  array unset ::tmm::group_lengths $number
  array unset ::tmm::group_lengths $number,*
}

# Name of a record as the box shows it, from its key here.
proc ::tmm::record_name {number key} {
  if {$::tmm::group_type($number) ne "ip"} {return $key}
  lassign [split $key ,] domain family length prefix
  set bits [expr {$family == 4 ? 32 : 128}]
  return [::tmm::format_address $domain $family [expr {$prefix << ($bits - $length)}]]/$length
}

proc ::tmm::keys_of {number} {
  variable group_keys
  if {![info exists group_keys($number)]} {
    set names [array names ::tmm::g$number]
    set group_keys($number) [switch -- $::tmm::group_type($number) {
      ip {lsort -command ::tmm::compare_networks $names}
      integer {lsort -integer $names}
      default {lsort $names}
    }]
  }
  return $group_keys($number)
}

proc ::tmm::compare_networks {left right} {
  lassign [split $left ,] domain1 family1 length1 prefix1
  lassign [split $right ,] domain2 family2 length2 prefix2
  set bits1 [expr {($family1 == 4 ? 32 : 128) - $length1}]
  set bits2 [expr {($family2 == 4 ? 32 : 128) - $length2}]
  foreach {a b} [list $family1 $family2 [expr {$prefix1 << $bits1}] [expr {$prefix2 << $bits2}] \
                   $length1 $length2 $domain1 $domain2] {
    if {$a != $b} {return [expr {$a < $b ? -1 : 1}]}
  }
  return 0
}

# Keys of the records that match, best first: the longest prefix, the longest key, else in the order of the group.
# `item OP key` for class match, `key OP item` for class search.
proc ::tmm::matching {number item operator reversed all} {
  upvar #0 ::tmm::g$number G
  switch -- $::tmm::group_type($number) {
    ip {return [::tmm::matching_networks $number $item $all]}
    integer {
      if {![string is entier -strict $item]} {return {}}
      set item [expr {$item + 0}]
    }
  }
  if {$operator eq "equals"} {return [expr {[info exists G($item)] ? [list $item] : {}}]}
  if {$operator eq "contains" || $reversed} {
    set found {}
    foreach key [::tmm::keys_of $number] {
      if {[expr {$reversed ? [::tmm::holds $key $operator $item] : [::tmm::holds $item $operator $key]}]} {
        lappend found $key
        if {!$all} break
      }
    }
    return $found
  }
  set found {}
  set size [string length $item]
  foreach length $::tmm::group_lengths($number) {
    if {$length > $size} continue
    set key [expr {$operator eq "starts_with" ? [string range $item 0 $length-1] : [string range $item end-[expr {$length - 1}] end]}]
    if {[info exists G($key)]} {
      lappend found $key
      if {!$all} break
    }
  }
  return $found
}

proc ::tmm::holds {text operator part} {
  switch -- $operator {
    starts_with {return [string equal -length [string length $part] $part $text]}
    ends_with {return [string equal $part [string range $text end-[expr {[string length $part] - 1}] end]]}
    contains {return [expr {[string first $part $text] >= 0}]}
  }
}

proc ::tmm::matching_networks {number item all} {
  variable group_lengths
  upvar #0 ::tmm::g$number G
  set parsed [::tmm::parse_address $item]
  if {$parsed eq ""} {return -code error "bad IP network address format ($item)"}
  lassign $parsed domain family address asked
  if {![info exists group_lengths($number,$domain,$family)]} {return {}}
  set bits [expr {$family == 4 ? 32 : 128}]
  set found {}
  foreach length $group_lengths($number,$domain,$family) {
    if {$length > $asked} continue
    set key $domain,$family,$length,[expr {$address >> ($bits - $length)}]
    if {[info exists G($key)]} {
      if {!$all} {return [list $key]}
      lappend found $key
    }
  }
  return $found
}
