# The `class` command over data groups, with the errors that TMM gives for a wrong use of it.

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
