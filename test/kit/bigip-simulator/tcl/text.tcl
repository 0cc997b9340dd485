# F5's commands over strings: none of them looks at the connection.

namespace eval ::cmd::URI {}

proc ::cmd::getfield {text separator index} {
  if {$separator eq "" || $index < 1} {return ""}
  for {set field 1} {$field < $index} {incr field} {
    set at [string first $separator $text]
    if {$at < 0} {return ""}
    set text [string range $text [expr {$at + [string length $separator]}] end]
  }
  set at [string first $separator $text]
  if {$at < 0} {return $text}
  string range $text 0 $at-1
}

# findstr TEXT WANTED ?SKIP ?END?? where END is a text or a length
proc ::cmd::findstr {text wanted {skip 0} args} {
  set at [string first $wanted $text]
  if {$at < 0} {return ""}
  ::cmd::substr $text [expr {$at + $skip}] {*}$args
}

proc ::cmd::substr {text {skip 0} args} {
  set text [string range $text $skip end]
  if {![llength $args]} {return $text}
  set end [lindex $args 0]
  if {[string is integer -strict $end]} {return [string range $text 0 [expr {$end - 1}]]}
  set at [string first $end $text]
  if {$at < 0} {return $text}
  string range $text 0 $at-1
}

proc ::cmd::b64encode {text} {binary encode base64 $text}
proc ::cmd::b64decode {text} {
  if {[catch {binary decode base64 -strict [string map {\r {} \n {}} $text]} bytes]} {return ""}
  return $bytes
}
proc ::cmd::crc32 {text} {zlib crc32 $text}
proc ::cmd::htonl {number} {return $number}
proc ::cmd::ntohl {number} {return $number}

proc ::cmd::clock {subcommand args} {
  if {$subcommand ni {seconds clicks format scan milliseconds microseconds add}} {
    return -code error "bad option \"$subcommand\": must be clicks, format, scan, or seconds"
  }
  if {[catch {::clock $subcommand {*}$args} result]} {return -code error $result}
  return $result
}

proc ::cmd::URI::decode {text} {
  set decoded ""
  foreach {all plain escape} [regexp -all -inline {([^%]+)|(%(?:[0-9a-fA-F]{2})?)} $text] {
    append decoded [expr {[string length $escape] == 3 ? [format %c [scan [string range $escape 1 2] %x]] : $all}]
  }
  return $decoded
}

proc ::cmd::URI::encode {text} {
  set encoded ""
  foreach byte [split $text {}] {
    append encoded [expr {[regexp {[A-Za-z0-9._~-]} $byte] ? $byte : [format %%%02x [scan $byte %c]]}]
  }
  return $encoded
}

# With its slashes and without the last name: /a/b/c.html is /a/b/. The optional depths count directories from 1.
proc ::cmd::URI::path {uri args} {
  set path [lindex [::tmm::split_uri $uri] 1]
  set directories [split [string trim [string range $path 0 [string last / $path]] /] /]
  if {[lindex $args 0] eq "depth"} {return [llength $directories]}
  if {[llength $args]} {
    lassign $args first last
    if {$last eq ""} {set last [llength $directories]}
    set directories [lrange $directories [expr {$first - 1}] [expr {$last - 1}]]
  }
  if {![llength $directories]} {return /}
  return /[join $directories /]/
}

proc ::cmd::URI::basename {uri} {
  set path [lindex [::tmm::split_uri $uri] 1]
  string range $path [string last / $path]+1 end
}

proc ::cmd::URI::query {uri args} {
  set query [string range [lindex [::tmm::split_uri $uri] 2] 1 end]
  if {![llength $args]} {return $query}
  foreach pair [split $query &] {
    if {[::cmd::getfield $pair = 1] eq [lindex $args 0]} {
      set at [string first = $pair]
      return [expr {$at < 0 ? "" : [string range $pair $at+1 end]}]
    }
  }
  return ""
}

proc ::cmd::URI::protocol {uri} {
  if {[regexp {^([A-Za-z][A-Za-z0-9+.-]*)://} $uri -> scheme]} {return [string tolower $scheme]}
  return ""
}

proc ::cmd::URI::host {uri} {
  if {[regexp {^[A-Za-z][A-Za-z0-9+.-]*://(?:[^@/?]*@)?(\[[^\]]*\]|[^:/?]*)} $uri -> host]} {return $host}
  return ""
}

proc ::cmd::URI::port {uri} {
  if {[regexp {^[A-Za-z][A-Za-z0-9+.-]*://(?:[^@/?]*@)?(?:\[[^\]]*\]|[^:/?]*):([0-9]+)} $uri -> port]} {return $port}
  return [expr {[::cmd::URI::protocol $uri] eq "https" ? 443 : 80}]
}

proc ::cmd::URI::compare {left right} {expr {[::tmm::normalized $left] eq [::tmm::normalized $right]}}
