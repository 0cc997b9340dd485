# Data groups, and the `class` command over them. A group is filled under a number of its own and takes its name in one
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

proc ::tmm::group_of {name} {
  set path [::tmm::resolve group $name]
  if {$path eq ""} {return -code error "can't find class \"$name\""}
  return $::tmm::group($path)
}

proc ::cmd::class {subcommand args} {
  incr ::tmm::classes
  set known {match search lookup element type exists size names get startsearch nextelement anymore donesearch}
  if {$subcommand ni $known} {
    return -code error "bad option \"$subcommand\": must be [join [lrange $known 0 end-1] {, }], or [lindex $known end]"
  }
  if {[catch {::tmm::class_$subcommand {*}$args} result options]} {
    if {[string match {wrong # args:*} $result]} {set result "wrong # args: class $subcommand"}
    return -code error $result
  }
  return $result
}

proc ::tmm::class_match {args} {::tmm::class_find 0 $args}
proc ::tmm::class_search {args} {::tmm::class_find 1 $args}

# The options end at the first word without a dash, or at `--`: an item that begins with a dash needs it.
proc ::tmm::class_find {reversed words} {
  set shape element?
  set all 0
  set list 0
  while {[string index [lindex $words 0] 0] eq "-"} {
    set words [lassign $words word]
    if {$word eq "--"} break
    set option [::tcl::prefix match -message option {-all -index -element -list -name -value} $word]
    switch -- $option {
      -all {set all 1}
      -list {set list 1}
      default {set shape $option}
    }
  }
  if {[llength $words] != 3} {return -code error "wrong # args: class match"}
  if {$reversed} {lassign $words name operator item} else {lassign $words item operator name}
  if {$operator ni {equals starts_with ends_with contains}} {
    return -code error "bad operator \"$operator\": must be equals, starts_with, ends_with, or contains"
  }
  set number [::tmm::group_of $name]
  set found [::tmm::matching $number $item $operator $reversed [expr {$all || $list}]]
  if {$shape eq "element?" && !$all && !$list} {return [expr {[llength $found] > 0}]}
  set results {}
  foreach key $found {lappend results [::tmm::shape $number $shape $key]}
  if {$all || $list} {return $results}
  if {![llength $results]} {return [expr {$shape eq "-index" ? -1 : ""}]}
  return [lindex $results 0]
}

proc ::tmm::shape {number shape key} {
  upvar #0 ::tmm::g$number G
  switch -- $shape {
    -index {return [lsearch -exact [::tmm::keys_of $number] $key]}
    -name {return [::tmm::record_name $number $key]}
    -value {return $G($key)}
    default {return [list [::tmm::record_name $number $key] $G($key)]}
  }
}

proc ::tmm::class_lookup {item name} {
  set number [::tmm::group_of $name]
  set found [::tmm::matching $number $item equals 0 0]
  if {![llength $found]} {return ""}
  set ::tmm::g${number}([lindex $found 0])
}

proc ::tmm::class_exists {name} {expr {[::tmm::resolve group $name] ne ""}}
proc ::tmm::class_type {name} {set ::tmm::group_type([::tmm::group_of $name])}
proc ::tmm::class_size {name} {set ::tmm::group_size([::tmm::group_of $name])}

proc ::tmm::class_element {args} {
  set shape -element
  if {[string match -* [lindex $args 0]]} {
    set args [lassign $args word]
    if {$word ne "--"} {set shape [::tcl::prefix match -message option {-name -value} $word]}
  }
  if {[llength $args] != 2} {return -code error "wrong # args: class element"}
  lassign $args index name
  set number [::tmm::group_of $name]
  set keys [::tmm::keys_of $number]
  if {![string is integer -strict $index] || $index < 0 || $index >= [llength $keys]} {return ""}
  ::tmm::shape $number $shape [lindex $keys $index]
}

proc ::tmm::class_names {args} {::tmm::class_list -name $args}
proc ::tmm::class_get {args} {::tmm::class_list -element $args}

proc ::tmm::class_list {shape words} {
  set nocase {}
  if {[lindex $words 0] eq "-nocase"} {
    set words [lassign $words nocase]
  }
  if {[llength $words] ni {1 2}} {return -code error "wrong # args: class names"}
  lassign $words name pattern
  set number [::tmm::group_of $name]
  set results {}
  foreach key [::tmm::keys_of $number] {
    if {[llength $words] == 2 && ![string match {*}$nocase $pattern [::tmm::record_name $number $key]]} continue
    lappend results [::tmm::shape $number $shape $key]
  }
  return $results
}

# A search belongs to its connection; it sees the group as it was when the search began.
proc ::tmm::class_startsearch {name} {
  upvar #0 ::tmm::c$::tmm::cur C
  set number [::tmm::group_of $name]
  set elements {}
  foreach key [::tmm::keys_of $number] {lappend elements [::tmm::shape $number -element $key]}
  set id search[incr C(searches)]
  set C(search,$id) $elements
  return $id
}

proc ::tmm::search_of {id} {
  if {![info exists ::tmm::c${::tmm::cur}(search,$id)]} {return -code error "can't find search \"$id\""}
  return ::tmm::c${::tmm::cur}(search,$id)
}

proc ::tmm::class_nextelement {args} {
  set shape -element
  if {[llength $args] == 3} {set args [lassign $args shape]}
  lassign $args name id
  upvar #0 [::tmm::search_of $id] elements
  set elements [lassign $elements element]
  switch -- $shape {
    -name {return [lindex $element 0]}
    -value {return [lindex $element 1]}
    default {return $element}
  }
}

proc ::tmm::class_anymore {name id} {expr {[llength [set [::tmm::search_of $id]]] > 0}}
proc ::tmm::class_donesearch {name id} {
  unset [::tmm::search_of $id]
  return
}

# The older form: place of the match, counted from 1, or 0.
proc ::cmd::matchclass {left operator right} {
  incr ::tmm::classes
  if {[::tmm::resolve group $right] ne ""} {
    set number [::tmm::group_of $right]
    set found [::tmm::matching $number $left $operator 0 0]
  } else {
    set number [::tmm::group_of $left]
    set found [::tmm::matching $number $right $operator 1 0]
  }
  if {![llength $found]} {return 0}
  expr {[lsearch -exact [::tmm::keys_of $number] [lindex $found 0]] + 1}
}
