# HTTP:: commands over the request or response of the event. What a rule changes here leaves with the head when the
# event is through. After HTTP::respond there is nothing more to ask or change.

namespace eval ::cmd::HTTP {}

# Which head: that of the response in events of a response, else that of the request.
proc ::tmm::http {} {
  upvar #0 ::tmm::c$::tmm::cur C
  if {$C(responded)} {return -level 2 -code error ERR_NOT_SUPPORTED}
  if {![info exists C(method)]} {return -level 2 -code error "ERR_NOT_SUPPORTED: no HTTP in this event"}
  if {[string match HTTP_RESPONSE* $C(event)]} {return response}
  return request
}

proc ::tmm::touch {what} {
  upvar #0 ::tmm::c$::tmm::cur C
  if {$what ni $C(changed)} {lappend C(changed) $what}
  return
}

proc ::tmm::changed_request {} {
  upvar #0 ::tmm::c$::tmm::cur C
  list request [expr {3 + [llength $C(headers)]}] $C(method) $C(uri) $C(version_http) {*}$C(headers)
}

proc ::tmm::changed_response {} {
  upvar #0 ::tmm::c$::tmm::cur C
  list response [expr {1 + [llength $C(response_headers)]}] $C(status) {*}$C(response_headers)
}

# Asks for a part of the request, or sets it.
proc ::tmm::part {name words} {
  upvar #0 ::tmm::c$::tmm::cur C
  if {![llength $words]} {return $C($name)}
  set C($name) [lindex $words 0]
  ::tmm::touch request
}

proc ::cmd::HTTP::method {args} {::tmm::http; ::tmm::part method $args}

proc ::cmd::HTTP::uri {args} {
  ::tmm::http
  upvar #0 ::tmm::c$::tmm::cur C
  if {$args eq "-normalized"} {return [::tmm::normalized $C(uri)]}
  ::tmm::part uri $args
}

proc ::cmd::HTTP::version {args} {
  set where [::tmm::http]
  upvar #0 ::tmm::c$::tmm::cur C
  if {$where eq "response" && ![llength $args]} {return $C(response_version)}
  ::tmm::part version_http $args
}

# Start of the path in a request target: past scheme and authority when it has them.
proc ::tmm::path_start {uri} {
  if {[regexp -indices {^[A-Za-z][A-Za-z0-9+.-]*://[^/?]*} $uri found]} {return [expr {[lindex $found 1] + 1}]}
  return 0
}

proc ::tmm::split_uri {uri} {
  set start [::tmm::path_start $uri]
  set end [string first ? $uri $start]
  if {$end < 0} {set end [string length $uri]}
  list [string range $uri 0 $start-1] [string range $uri $start $end-1] [string range $uri $end end]
}

proc ::cmd::HTTP::path {args} {
  ::tmm::http
  upvar #0 ::tmm::c$::tmm::cur C
  lassign [::tmm::split_uri $C(uri)] before path query
  if {![llength $args]} {return $path}
  if {[lindex $args 0] eq "-normalized"} {return [::tmm::normalized $path]}
  ::tmm::part uri [list $before[lindex $args 0]$query]
}

proc ::cmd::HTTP::query {args} {
  ::tmm::http
  upvar #0 ::tmm::c$::tmm::cur C
  lassign [::tmm::split_uri $C(uri)] before path query
  if {![llength $args]} {return [string range $query 1 end]}
  ::tmm::part uri [list $before$path?[lindex $args 0]]
}

# Unreserved escapes decoded, segments `.` and `..` resolved, slashes folded.
proc ::tmm::normalized {uri} {
  set text ""
  foreach {all plain escape} [regexp -all -inline {([^%]+)|(%(?:[0-9a-fA-F]{2})?)} $uri] {
    if {[string length $escape] == 3} {
      set byte [format %c [scan [string range $escape 1 2] %x]]
      append text [expr {[regexp {[A-Za-z0-9._~-]} $byte] ? $byte : [string toupper $escape]}]
    } else {
      append text $all
    }
  }
  lassign [::tmm::split_uri $text] before path query
  set segments {}
  set last [lindex [split $path /] end]
  foreach segment [split $path /] {
    switch -- $segment {
      {} - . {}
      .. {set segments [lrange $segments 0 end-1]}
      default {lappend segments $segment}
    }
  }
  set slash [expr {$last in {{} . ..} && [llength $segments] ? "/" : ""}]
  return $before/[join $segments /]$slash$query
}

proc ::cmd::HTTP::host {args} {
  ::tmm::http
  upvar #0 ::tmm::c$::tmm::cur C
  if {![llength $args]} {return [lindex [::tmm::header_values $C(headers) host] end]}
  set C(headers) [::tmm::header_replaced $C(headers) Host [lindex $args 0]]
  ::tmm::touch request
}

proc ::cmd::HTTP::status {args} {
  ::tmm::http
  upvar #0 ::tmm::c$::tmm::cur C
  if {[llength $args]} {
    set C(status) [lindex $args 0]
    return [::tmm::touch response]
  }
  return $C(status)
}

proc ::cmd::HTTP::is_keepalive {} {::tmm::http; ::tmm::fact keepalive}
proc ::cmd::HTTP::is_redirect {} {
  ::tmm::http
  expr {[::tmm::fact status] in {301 302 303 305 307 308}}
}
proc ::cmd::HTTP::request_num {} {::tmm::http; ::tmm::fact request_num}
proc ::cmd::HTTP::has_responded {} {
  upvar #0 ::tmm::c$::tmm::cur C
  return $C(responded)
}

proc ::cmd::HTTP::request {} {
  ::tmm::http
  upvar #0 ::tmm::c$::tmm::cur C
  set text "$C(method) $C(uri) HTTP/$C(version_http)\r\n"
  foreach {name value} $C(headers) {append text "$name: $value\r\n"}
  append text \r\n
}

proc ::cmd::HTTP::collect {args} {
  ::tmm::act http-collect [::tmm::http] [expr {[llength $args] ? [lindex $args 0] : -1}]
}
proc ::cmd::HTTP::release {args} {::tmm::http; return}
proc ::cmd::HTTP::payload {args} {::tmm::http; ::tmm::payload http-payload http_payload $args}
proc ::cmd::HTTP::disable {args} {::tmm::http; ::tmm::act http-disable}
proc ::cmd::HTTP::enable {args} {}
proc ::cmd::HTTP::close {} {::tmm::act http-close}

# HTTP::respond STATUS ?-version V? ?content TEXT? ?noserver? ?-reset? ?name value …?
proc ::cmd::HTTP::respond {status args} {
  upvar #0 ::tmm::c$::tmm::cur C
  ::tmm::answering
  set version 1.0
  set content ""
  set server 1
  set reset 0
  set headers {}
  while {[llength $args]} {
    set args [lassign $args word]
    switch -- $word {
      -version {set args [lassign $args version]}
      content - -content {set args [lassign $args content]}
      ifile - -ifile {return -code error "the simulator has no ifile"}
      noserver - -noserver {set server 0}
      -reset {set reset 1}
      default {
        if {![llength $args]} {return -code error "wrong # args: header $word without a value"}
        set args [lassign $args value]
        lappend headers $word $value
      }
    }
  }
  if {![string is digit -strict $status]} {return -code error "bad status \"$status\""}
  if {$version eq "auto"} {set version $C(version_http)}
  ::tmm::act respond $status $version $server $reset $content {*}$headers
}

proc ::cmd::HTTP::redirect {url} {
  ::tmm::answering
  ::tmm::act respond 302 1.0 1 0 "" Location $url
}

proc ::tmm::answering {} {
  upvar #0 ::tmm::c$::tmm::cur C
  if {![info exists C(method)]} {return -level 2 -code error "ERR_NOT_SUPPORTED: no HTTP in this event"}
  if {$C(responded)} {
    return -level 2 -code error \
      "Operation not supported. Multiple HTTP::redirect/HTTP::respond invocations not allowed"
  }
  set C(responded) 1
}
