# One safe child interpreter for each TMM: it sees Tcl as TMM does, and F5's commands as aliases into this interpreter.
# In the child a connection is a coroutine that evaluates what it is resumed with, so that all events and all rules of
# a connection share one frame of local variables, and a `return` ends no more than its handler.

namespace eval ::tmm {
  variable count 0
  # Wall time that one event may take, at least; at most half a second more.
  variable patience 2000
  variable watched

  # Disabled in TMM (measured); those that a Tcl 8.6 has.
  variable disabled {
    auto_execok auto_import auto_load auto_qualify cd eof exec exit fblocked fconfigure fcopy file flush gets glob
    interp load namespace open package pid pwd rename seek socket source tell time unknown update vwait
  }
  # Younger than Tcl 8.4, or of no use without channels and an event loop.
  variable younger {
    after apply chan coroutine dict fileevent lassign lmap lrepeat lreverse puts read tailcall throw trace try unload
    yield yieldto zlib encoding
  }
  variable setup {
    namespace eval ::tmm {variable code 0 result {} options {}}
    namespace eval ::static {}
    rename ::yield ::tmm::yield
    rename ::coroutine ::tmm::coroutine
    # No local variable of its own: the frame belongs to the rules. In the global namespace: so are they.
    proc {::tmm connection} {} {
      while 1 {set ::tmm::code [catch [::tmm::yield $::tmm::code] ::tmm::result ::tmm::options]}
    }
    proc ::call {name args} {uplevel 1 [linsert $args 0 [::tmm::locate $name]]}
    proc ::clientside {script} {
      set before [::tmm::side client]
      catch {uplevel 1 $script} result options
      ::tmm::side $before
      return -options $options $result
    }
    proc ::serverside {script} {
      set before [::tmm::side server]
      catch {uplevel 1 $script} result options
      ::tmm::side $before
      return -options $options $result
    }
  }
}

# `functions` is Tcl text with the math functions that F5's word operators are translated to.
proc ::tmm::on_start {count functions host} {
  variable hostname $host
  for {set unit 0} {$unit < $count} {incr unit} {::tmm::create_child $unit $functions}
  set ::tmm::count $count
}

proc ::tmm::create_child {unit functions} {
  variable child
  variable watched
  set child($unit) [interp create -safe tmm$unit]
  set watched($unit) 0
  interp eval $child($unit) $::tmm::setup
  interp eval $child($unit) $functions
  foreach name [concat $::tmm::disabled $::tmm::younger] {
    if {[llength [interp eval $child($unit) [list info commands ::$name]]]} {interp hide $child($unit) $name}
  }
  interp alias $child($unit) ::tmm::locate {} ::tmm::locate
  interp alias $child($unit) ::tmm::side {} ::tmm::side
  interp alias $child($unit) ::unknown {} ::tmm::not_simulated
  foreach space [concat ::cmd [namespace children ::cmd]] {
    foreach command [info commands ${space}::*] {
      interp alias $child($unit) [string range $command 7 end] {} $command
    }
  }
}

proc ::tmm::not_simulated {name args} {
  if {[string match *::* $name]} {return -code error "the simulator does not know the command $name"}
  return -code error "invalid command name \"$name\""
}

# A rule that never ends is ended. The limit is moved twice a second and not at each event: setting it costs more than
# most events do.
proc ::tmm::inside {unit command} {
  variable watched
  set now [clock milliseconds]
  if {$now >= $watched($unit)} {
    set watched($unit) [expr {$now + 500}]
    set end [expr {$now + 500 + $::tmm::patience}]
    interp limit $::tmm::child($unit) time -granularity 1000 -seconds [expr {$end / 1000}] \
      -milliseconds [expr {$end % 1000}]
  }
  interp eval $::tmm::child($unit) $command
}
