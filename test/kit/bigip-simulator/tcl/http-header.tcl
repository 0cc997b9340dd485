# HTTP::header and HTTP::cookie, over the head of the request or of the response.

namespace eval ::cmd::HTTP {}

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
