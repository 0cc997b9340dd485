# The session table: one for all TMMs, with subtables, idle time-outs and lifetimes in seconds. Entries that are over
# are removed when they are met.

namespace eval ::tmm {
  # "subtable\0key" → value, idle time-out, lifetime, touched at, made at. Times in seconds; "indef" never ends.
  variable table
}

proc ::tmm::table_live {key} {
  variable table
  if {![info exists table($key)]} {return 0}
  lassign $table($key) value timeout lifetime touched made
  set now [clock seconds]
  if {($timeout ne "indef" && $now - $touched >= $timeout) || ($lifetime ne "indef" && $now - $made >= $lifetime)} {
    unset table($key)
    return 0
  }
  return 1
}

proc ::tmm::table_put {key value timeout lifetime} {
  set ::tmm::table($key) [list $value $timeout $lifetime [clock seconds] [clock seconds]]
  return $value
}

proc ::cmd::table {subcommand args} {
  upvar #0 ::tmm::c$::tmm::cur C
  if {$C(event) eq "RULE_INIT"} {return -code error "table: not allowed in RULE_INIT"}
  set flags {}
  set subtable ""
  while {[string index [lindex $args 0] 0] eq "-" && [lindex $args 0] ne "-"} {
    set args [lassign $args word]
    if {$word eq "--"} break
    if {$word in {-subtable -georedundancy}} {set args [lassign $args subtable]} else {lappend flags $word}
  }
  set known {set add replace lookup incr append delete timeout lifetime keys}
  if {$subcommand ni $known} {return -code error "bad option \"$subcommand\": must be [join $known {, }]"}
  if {[catch {::tmm::table_$subcommand $subtable $flags {*}$args} result]} {
    if {[string match {wrong # args:*} $result]} {set result "wrong # args: table $subcommand"}
    return -code error $result
  }
  return $result
}

proc ::tmm::table_touch {key flags} {
  if {"-notouch" ni $flags} {lset ::tmm::table($key) 3 [clock seconds]}
}

proc ::tmm::table_set {subtable flags key value {timeout 180} {lifetime indef}} {
  set place $subtable\0$key
  set there [::tmm::table_live $place]
  if {"-mustexist" in $flags && !$there} {return ""}
  if {"-excl" in $flags && $there} {return [lindex $::tmm::table($place) 0]}
  ::tmm::table_put $place $value $timeout $lifetime
}

proc ::tmm::table_add {subtable flags args} {::tmm::table_set $subtable [concat $flags -excl] {*}$args}
proc ::tmm::table_replace {subtable flags args} {::tmm::table_set $subtable [concat $flags -mustexist] {*}$args}

proc ::tmm::table_lookup {subtable flags key} {
  set place $subtable\0$key
  if {![::tmm::table_live $place]} {return ""}
  ::tmm::table_touch $place $flags
  lindex $::tmm::table($place) 0
}

proc ::tmm::table_incr {subtable flags key {delta 1}} {
  set place $subtable\0$key
  if {![::tmm::table_live $place]} {
    if {"-mustexist" in $flags} {return ""}
    return [::tmm::table_put $place $delta 180 indef]
  }
  set value [lindex $::tmm::table($place) 0]
  incr value $delta
  lset ::tmm::table($place) 0 $value
  ::tmm::table_touch $place $flags
  return $value
}

proc ::tmm::table_append {subtable flags key text} {
  set place $subtable\0$key
  if {![::tmm::table_live $place]} {
    if {"-mustexist" in $flags} {return ""}
    return [::tmm::table_put $place $text 180 indef]
  }
  lset ::tmm::table($place) 0 [lindex $::tmm::table($place) 0]$text
  ::tmm::table_touch $place $flags
  lindex $::tmm::table($place) 0
}

proc ::tmm::table_delete {subtable flags args} {
  if {"-all" in $flags} {
    foreach place [::tmm::table_places $subtable] {unset ::tmm::table($place)}
    return
  }
  unset -nocomplain ::tmm::table($subtable\0[lindex $args 0])
  return
}

proc ::tmm::table_places {subtable} {
  set places {}
  foreach place [array names ::tmm::table] {
    if {[string equal -length [expr {[string length $subtable] + 1}] $subtable\0 $place] && [::tmm::table_live $place]} {
      lappend places $place
    }
  }
  return $places
}

proc ::tmm::table_keys {subtable flags} {
  set places [::tmm::table_places $subtable]
  if {"-count" in $flags} {return [llength $places]}
  set keys {}
  foreach place $places {lappend keys [string range $place [string length $subtable]+1 end]}
  return $keys
}

proc ::tmm::table_timeout {subtable flags key args} {::tmm::table_time $subtable $flags 1 3 $key $args}
proc ::tmm::table_lifetime {subtable flags key args} {::tmm::table_time $subtable $flags 2 4 $key $args}

# Asks for a time, or for what is left of it with -remaining, or sets it.
proc ::tmm::table_time {subtable flags field since key words} {
  set place $subtable\0$key
  if {![::tmm::table_live $place]} {return -1}
  if {[llength $words]} {
    lset ::tmm::table($place) $field [lindex $words 0]
    return [lindex $words 0]
  }
  set time [lindex $::tmm::table($place) $field]
  if {"-remaining" ni $flags || $time eq "indef"} {return $time}
  expr {$time - ([clock seconds] - [lindex $::tmm::table($place) $since])}
}
