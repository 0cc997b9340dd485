# Rules, and connections that fire them. A connection keeps the rules that its virtual server had when it came; what
# the virtual server has later concerns later connections. The state of connection N is the array ::tmm::cN; the one
# whose event is being handled is `cur`.

namespace eval ::tmm {
  variable cur ""
  # `class` commands so far, all TMMs.
  variable classes 0
  variable latest
  variable path
  variable body
  variable chain
  variable procedures
}

# `handlers`: event priority body …; `procs`: name parameters body …. RULE_INIT runs now, once in each TMM.
proc ::tmm::on_rule {version name handlers procs} {
  variable latest
  variable path
  variable body
  variable procedures
  set latest($name) $version
  set path($version) $name
  for {set unit 0} {$unit < $::tmm::count} {incr unit} {
    foreach {procedure parameters text} $procs {
      set procedures($version,$procedure) "::tmm proc $version $procedure"
      ::tmm::inside $unit [list proc $procedures($version,$procedure) $parameters $text]
    }
    set index 0
    set init {}
    foreach {event priority text} $handlers {
      # A copy for each TMM: compiled code belongs to one interpreter.
      set body($unit,$version,$index) "$text\n"
      if {$event eq "RULE_INIT"} {lappend init $priority $version $index}
      incr index
    }
    if {[llength $init]} {::tmm::initialize $unit $version [lsort -integer -stride 3 -index 0 $init]}
  }
}

proc ::tmm::initialize {unit version init} {
  set id "init$unit"
  set handlers {}
  foreach {priority version index} $init {lappend handlers $version $index}
  ::tmm::on_chain $id "" {} [list RULE_INIT $handlers]
  ::tmm::on_open $id $unit $id {}
  lassign [::tmm::run $id RULE_INIT {}] ran outcome
  ::tmm::send initialized $version $unit $ran $outcome
  ::tmm::on_close $id
  ::tmm::on_unchain $id
}

proc ::tmm::on_unrule {version} {
  variable latest
  variable path
  variable body
  variable procedures
  array unset body *,$version,*
  if {[info exists latest($path($version))] && $latest($path($version)) == $version} {unset latest($path($version))}
  foreach key [array names procedures $version,*] {
    for {set unit 0} {$unit < $::tmm::count} {incr unit} {
      interp invokehidden $::tmm::child($unit) rename $procedures($key) {}
    }
    unset procedures($key)
  }
  unset path($version)
}

# What a virtual server does at present: `events` holds, for each event, version and index of handlers in order.
proc ::tmm::on_chain {id virtual facts events} {
  variable chain
  foreach {event handlers} $events {set chain($id,$event) $handlers}
  set chain($id) [list virtual $virtual {*}$facts]
}

proc ::tmm::on_unchain {id} {
  variable chain
  array unset chain $id,*
  unset -nocomplain chain($id)
}

proc ::tmm::on_open {id unit chain facts} {
  upvar #0 ::tmm::c$id C
  array set C $::tmm::chain($chain)
  array set C $facts
  set C(id) $id
  set C(tmm) $unit
  set C(chain) $chain
  set C(off) 0
  set C(version) ""
  set C(responded) 0
  set C(changed) {}
  set C(answer) 0
  ::tmm::inside $unit [list ::tmm::coroutine "::tmm c$id" {::tmm connection}]
}

proc ::tmm::on_close {id} {
  upvar #0 ::tmm::c$id C
  if {![info exists C(tmm)]} return
  catch {interp invokehidden $::tmm::child($C(tmm)) rename "::tmm c$id" {}}
  unset C
}

# Runs the handlers of an event. `facts` replace those known of the connection.
proc ::tmm::on_fire {id event facts} {
  set result [::tmm::run $id $event $facts]
  ::tmm::send done $id {*}$result
}

proc ::tmm::run {id event facts} {
  variable cur
  variable chain
  upvar #0 ::tmm::c$id C
  array set C $facts
  set cur $id
  set C(event) $event
  set C(side) [expr {[string match {SERVER_*} $event] || [string match {*RESPONSE*} $event] ? "server" : "client"}]
  set C(actions) {}
  set ran 0
  set outcome ok
  if {!$C(off) && ![info exists C(off,$event)] && [info exists chain($C(chain),$event)]} {
    foreach {version index} $chain($C(chain),$event) {
      incr ran
      set C(version) $version
      set outcome [::tmm::handle $C(tmm) $id $version $index]
      if {$outcome ne "ok"} break
    }
  }
  foreach what $C(changed) {lappend C(actions) {*}[::tmm::changed_$what]}
  set C(changed) {}
  set cur ""
  return [list $ran $outcome $::tmm::classes {*}$C(actions)]
}

# A `return` and the end of the text are as good; an error ends the handlers of this event, and the connection.
proc ::tmm::handle {unit id version index} {
  variable body
  set outcome failed
  if {[catch {::tmm::inside $unit [list "::tmm c$id" $body($unit,$version,$index)]} code]} {
    set outcome aborted
    set ::tmm::watched($unit) 0
    set message $code
  } elseif {$code == 0 || $code == 2} {
    return ok
  } else {
    set message [::tmm::trace_of $unit $code]
  }
  ::tmm::send log $unit err "01220001:3: TCL error: $::tmm::path($version) <[set ::tmm::c${id}(event)]> - $message"
  return $outcome
}

# As the box writes it: on one line, each line feed a blank.
proc ::tmm::trace_of {unit code} {
  if {$code == 3} {return {invoked "break" outside of a loop}}
  if {$code == 4} {return {invoked "continue" outside of a loop}}
  set trace [dict get [::tmm::inside $unit {set ::tmm::options}] -errorinfo]
  # F5's commands are aliases here, and Tcl words the place of an error in one as if it were a procedure.
  set at [string first "\n    invoked from within\n" $trace]
  if {$at >= 0 && [string first "\n    while executing\n" $trace] < 0} {
    set trace "[string range $trace 0 $at-1]\n    while executing[string range $trace $at+24 end]"
  }
  string map {\r " " \n " "} $trace
}

# What the connection has to do when the handlers are through, in this order.
proc ::tmm::act {name args} {
  upvar #0 ::tmm::c$::tmm::cur C
  lappend C(actions) $name [llength $args] {*}$args
}

proc ::tmm::side {side} {
  upvar #0 ::tmm::c$::tmm::cur C
  set before $C(side)
  set C(side) $side
  return $before
}

# `name` of this rule, `/P/rule::name` or `rule::name` of another.
proc ::tmm::locate {name} {
  variable latest
  upvar #0 ::tmm::c$::tmm::cur C
  set version $C(version)
  if {[regexp {^(.+)::([^:]+)$} $name -> rule procedure]} {
    set rule [::tmm::resolve latest $rule]
    if {$rule eq ""} {return -code error "can't call \"$name\": no such rule"}
    set version $latest($rule)
    set name $procedure
  }
  if {![info exists ::tmm::procedures($version,$name)]} {return -code error "invalid command name \"$name\""}
  return $::tmm::procedures($version,$name)
}

# The key of a global array that a name stands for: a full path, or in /Common, or beside the rule that asks.
proc ::tmm::resolve {table name} {
  upvar #0 ::tmm::$table known ::tmm::c$::tmm::cur C
  if {[string index $name 0] eq "/"} {
    if {[info exists known($name)]} {return $name}
    return ""
  }
  if {[info exists known(/Common/$name)]} {return /Common/$name}
  if {[info exists C(version)] && $C(version) ne ""} {
    set folder [string range $::tmm::path($C(version)) 0 [string last / $::tmm::path($C(version))]]
    if {[info exists known($folder$name)]} {return $folder$name}
  }
  return ""
}

# What else there is in the configuration: `kind` pool, virtual, node or publisher; name and what to know of it.
proc ::tmm::on_names {kind names} {
  upvar #0 ::tmm::$kind known
  unset -nocomplain known
  array set known $names
}
