# How this process speaks with the one that started it. In come lines, each a Tcl list with every unusual byte escaped;
# out go netstrings of netstrings. Strings are bytes, as they are in TMM: a character above 255, which only an escape
# like \u20ac in a rule can make, leaves as its UTF-8 bytes.

namespace eval ::tmm {}

proc ::tmm::send {args} {
  set message ""
  foreach field $args {
    if {[regexp {[^\u0000-\u00ff]} $field]} {set field [encoding convertto utf-8 $field]}
    append message [string length $field] : $field
  }
  puts -nonewline stdout [string length $message]:$message
}

# Ends with its input, and so with the process that started it.
proc ::tmm::serve {} {
  fconfigure stdin -translation binary
  fconfigure stdout -translation binary -buffering full -buffersize 65536
  while {[gets stdin line] >= 0} {
    ::tmm::on_[lindex $line 0] {*}[lrange $line 1 end]
    flush stdout
  }
  exit 0
}

proc ::tmm::on_ping {} {::tmm::send pong}
