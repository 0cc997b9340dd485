# High-speed logging. A handle names where it goes; what is sent goes out at once, formatted by nobody.

namespace eval ::cmd::HSL {}
namespace eval ::tmm {
  # Targets that take no more for the present: their buffer is full.
  variable full
}

# `HSL::open -publisher NAME` or `HSL::open -proto TCP|UDP -pool NAME`
proc ::cmd::HSL::open {args} {
  array set given {-publisher "" -proto UDP -pool ""}
  foreach {option value} $args {
    if {![info exists given($option)]} {
      return -code error "bad option \"$option\": must be -publisher, -proto, or -pool"
    }
    set given($option) $value
  }
  if {$given(-publisher) ne ""} {
    set path [::tmm::resolve publisher $given(-publisher)]
    if {$path eq ""} {return -code error "can't find publisher \"$given(-publisher)\""}
    return "hsl publisher $path"
  }
  set path [::tmm::resolve pool $given(-pool)]
  if {$path eq ""} {return -code error "can't find pool \"$given(-pool)\""}
  set protocol [string tolower $given(-proto)]
  if {$protocol ni {tcp udp}} {return -code error "bad protocol \"$given(-proto)\": must be TCP or UDP"}
  return "hsl $protocol $path"
}

proc ::cmd::HSL::send {handle data} {
  if {[lindex $handle 0] ne "hsl" || [llength $handle] != 3} {return -code error "bad HSL handle \"$handle\""}
  lassign $handle - kind path
  if {[info exists ::tmm::full($kind,$path)]} {return 0}
  ::tmm::send hsl $kind $path $data
  return 1
}

proc ::tmm::on_full {kind path full} {
  if {$full} {set ::tmm::full($kind,$path) 1} else {unset -nocomplain ::tmm::full($kind,$path)}
}
