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

# Headers: a flat list of names and values, in the order and spelling of the message.
proc ::tmm::header_values {headers wanted} {
  set values {}
  foreach {name value} $headers {if {[string equal -nocase $name $wanted]} {lappend values $value}}
  return $values
}

proc ::tmm::header_removed {headers unwanted} {
  set kept {}
  foreach {name value} $headers {if {![string equal -nocase $name $unwanted]} {lappend kept $name $value}}
  return $kept
}

# The last of that name, or a new one.
proc ::tmm::header_replaced {headers wanted text} {
  set place -1
  set index 0
  foreach {name value} $headers {
    if {[string equal -nocase $name $wanted]} {set place $index}
    incr index 2
  }
  if {$place < 0} {return [concat $headers [list $wanted $text]]}
  lreplace $headers $place+1 $place+1 $text
}

proc ::cmd::HTTP::header {args} {
  set where [::tmm::http]
  upvar #0 ::tmm::c$::tmm::cur C
  upvar 0 C([expr {$where eq "response" ? "response_headers" : "headers"}]) headers
  lassign $args word name text
  switch -- $word {
    value {return [lindex [::tmm::header_values $headers $name] end]}
    values {return [::tmm::header_values $headers $name]}
    names {
      set names {}
      foreach {name value} $headers {lappend names $name}
      return $names
    }
    count {
      if {[llength $args] == 1} {return [expr {[llength $headers] / 2}]}
      return [llength [::tmm::header_values $headers $name]]
    }
    at {return [lindex $headers [expr {$name * 2}]]}
    exists {return [expr {[llength [::tmm::header_values $headers $name]] > 0}]}
    is_keepalive {return [::tmm::fact keepalive]}
    is_redirect {return [::cmd::HTTP::is_redirect]}
    lws {return 0}
    insert {
      set pairs [lrange $args 1 end]
      if {[lindex $pairs 0] eq "lws"} {set pairs [lrange $pairs 1 end]}
      if {[llength $pairs] == 1} {set pairs [lindex $pairs 0]}
      if {[llength $pairs] == 0 || [llength $pairs] % 2} {
        return -code error {wrong # args: should be "HTTP::header insert name value ?name value ...?"}
      }
      lappend headers {*}$pairs
    }
    replace {set headers [::tmm::header_replaced $headers $name $text]}
    remove {set headers [::tmm::header_removed $headers $name]}
    sanitize {
      set kept {}
      set allowed [concat {host connection content-length transfer-encoding content-type} [string tolower [lrange $args 1 end]]]
      foreach {name value} $headers {if {[string tolower $name] in $allowed} {lappend kept $name $value}}
      set headers $kept
    }
    default {
      if {[llength $args] == 1} {return [lindex [::tmm::header_values $headers $word] end]}
      set headers [::tmm::header_replaced $headers $word $name]
    }
  }
  ::tmm::touch $where
}

proc ::cmd::HTTP::cookie {args} {
  set where [::tmm::http]
  upvar #0 ::tmm::c$::tmm::cur C
  lassign $args word name text
  if {$where eq "response"} {
    switch -- $word {
      insert - set {
        array set given {name "" value "" path ""}
        array set given [lrange $args 1 end]
        set line "$given(name)=$given(value)"
        if {$given(path) ne ""} {append line "; path=$given(path)"}
        lappend C(response_headers) Set-Cookie $line
        return [::tmm::touch response]
      }
    }
    set pairs {}
    foreach line [::tmm::header_values $C(response_headers) set-cookie] {lappend pairs [lindex [split $line \;] 0]}
  } else {
    set pairs [split [join [::tmm::header_values $C(headers) cookie] \;] \;]
  }
  set cookies {}
  foreach pair $pairs {
    set at [string first = $pair]
    if {$at > 0} {lappend cookies [string trim [string range $pair 0 $at-1]] [string trim [string range $pair $at+1 end]]}
  }
  switch -- $word {
    names {
      set names {}
      foreach {cookie value} $cookies {lappend names $cookie}
      return $names
    }
    count {return [expr {[llength $cookies] / 2}]}
    exists {
      foreach {cookie value} $cookies {if {$cookie eq $name} {return 1}}
      return 0
    }
    remove {
      set kept {}
      foreach {cookie value} $cookies {if {$cookie ne $name} {lappend kept $cookie=$value}}
      set C(headers) [::tmm::header_removed $C(headers) cookie]
      if {[llength $kept]} {lappend C(headers) Cookie [join $kept "; "]}
      return [::tmm::touch request]
    }
    value {}
    default {set name $word}
  }
  foreach {cookie value} $cookies {if {$cookie eq $name} {return $value}}
  return ""
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
