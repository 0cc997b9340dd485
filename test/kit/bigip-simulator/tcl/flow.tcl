# What a rule may ask of a connection below HTTP, and do with it. Actions take effect when the handlers of the event
# are through; none of them ends the script.

namespace eval ::cmd::IP {}
namespace eval ::cmd::TCP {}
namespace eval ::cmd::UDP {}
namespace eval ::cmd::LB {}
namespace eval ::cmd::TMM {}
namespace eval ::cmd::PROFILE {}

# A fact of this connection; what there is none of yet (the server before it was chosen) is an error, as in TMM.
proc ::tmm::fact {name} {
  upvar #0 ::tmm::c$::tmm::cur C
  if {[info exists C($name)] && $C($name) ne ""} {return $C($name)}
  return -level 2 -code error "no $name in this event"
}

proc ::tmm::by_side {client server} {
  upvar #0 ::tmm::c$::tmm::cur C
  if {$C(side) eq "server"} {return $server}
  return $client
}

proc ::cmd::IP::client_addr {} {::tmm::fact client_addr}
proc ::cmd::IP::server_addr {} {::tmm::fact server_addr}
proc ::cmd::IP::local_addr {args} {::tmm::fact [::tmm::side_of $args local_addr near_addr]}
proc ::cmd::IP::remote_addr {args} {::tmm::fact [::tmm::side_of $args client_addr server_addr]}
proc ::cmd::IP::version {} {expr {[string first : [::tmm::fact client_addr]] >= 0 ? 6 : 4}}
proc ::cmd::IP::protocol {} {expr {[::tmm::fact protocol] eq "udp" ? 17 : 6}}
proc ::cmd::IP::ttl {} {return 64}
proc ::cmd::IP::tos {args} {return 0}
proc ::cmd::IP::idle_timeout {args} {return 300}

proc ::cmd::TCP::client_port {} {::tmm::fact client_port}
proc ::cmd::TCP::server_port {} {::tmm::fact server_port}
proc ::cmd::TCP::local_port {args} {::tmm::fact [::tmm::side_of $args local_port near_port]}
proc ::cmd::TCP::remote_port {args} {::tmm::fact [::tmm::side_of $args client_port server_port]}
proc ::cmd::TCP::mss {} {return 1460}
proc ::cmd::TCP::idletime {args} {}
proc ::cmd::TCP::nagle {args} {}
proc ::cmd::UDP::client_port {} {::tmm::fact client_port}
proc ::cmd::UDP::server_port {} {::tmm::fact server_port}
proc ::cmd::UDP::local_port {args} {::tmm::fact [::tmm::side_of $args local_port near_port]}
proc ::cmd::UDP::remote_port {args} {::tmm::fact [::tmm::side_of $args client_port server_port]}

# `clientside` or `serverside` after the command asks for that side.
proc ::tmm::side_of {words client server} {
  switch -- [lindex $words 0] {
    clientside {return $client}
    serverside {return $server}
  }
  ::tmm::by_side $client $server
}

proc ::cmd::TCP::collect {args} {
  ::tmm::act tcp-collect [::tmm::by_side client server] [expr {[llength $args] ? [lindex $args 0] : 0}]
}
proc ::cmd::TCP::release {args} {
  ::tmm::act tcp-release [::tmm::by_side client server] [expr {[llength $args] ? [lindex $args 0] : -1}]
}
proc ::cmd::TCP::respond {data} {::tmm::act tcp-respond [::tmm::by_side client server] $data}
proc ::cmd::TCP::close {} {::tmm::act tcp-close [::tmm::by_side client server]}
proc ::cmd::TCP::payload {args} {::tmm::payload tcp-payload payload $args}
proc ::cmd::UDP::payload {args} {::tmm::payload tcp-payload payload $args}
proc ::cmd::UDP::respond {data} {::tmm::act tcp-respond [::tmm::by_side client server] $data}
proc ::cmd::UDP::drop {} {::tmm::act udp-drop}

# X::payload, with a length, `length`, or `replace OFFSET LENGTH DATA`.
proc ::tmm::payload {action name words} {
  upvar #0 ::tmm::c$::tmm::cur C
  if {![info exists C($name)]} {set C($name) ""}
  switch -- [lindex $words 0] {
    length {return [string length $C($name)]}
    replace {
      lassign $words - offset length data
      set C($name) [string range $C($name) 0 $offset-1]$data[string range $C($name) [expr {$offset + $length}] end]
      ::tmm::act $action [::tmm::by_side client server] $C($name)
      return
    }
    {} {return $C($name)}
  }
  if {[llength $words] == 2} {
    return [string range $C($name) [lindex $words 0] [expr {[lindex $words 0] + [lindex $words 1] - 1}]]
  }
  string range $C($name) 0 [expr {[lindex $words 0] - 1}]
}

proc ::cmd::reject {} {::tmm::act reject}
proc ::cmd::drop {} {::tmm::act drop}
proc ::cmd::discard {} {::tmm::act drop}
proc ::cmd::forward {} {::tmm::act forward}

proc ::cmd::pool {args} {
  set words $args
  if {[lindex $words 0] eq "member"} {set words [lrange $words 1 end]}
  if {![llength $words]} {return -code error {wrong # args: should be "pool name ?member address ?port??"}}
  set path [::tmm::resolve pool [lindex $words 0]]
  if {$path eq ""} {return -code error "no such pool: [lindex $words 0]"}
  set member [expr {[lindex $words 1] eq "member" ? [lrange $words 2 end] : {}}]
  ::tmm::act pool $path [lindex $member 0] [lindex $member 1]
  ::tmm::lb_pool $path
}

proc ::cmd::node {address {port ""}} {
  if {$port eq "" && [regexp {^(.*):([0-9]+)$} $address -> host given] && [string first : $host] < 0} {
    set address $host
    set port $given
  }
  if {[::tmm::parse_address $address] eq ""} {return -code error "bad IP address format ($address)"}
  ::tmm::act node $address $port
}

proc ::cmd::virtual {args} {
  upvar #0 ::tmm::c$::tmm::cur C
  if {$args eq "" || $args eq "name"} {return $C(virtual)}
  if {[lindex $args 0] eq "name"} {set args [lrange $args 1 end]}
  set path [::tmm::resolve virtual [lindex $args 0]]
  if {$path eq ""} {return -code error "no such virtual server: [lindex $args 0]"}
  ::tmm::act virtual $path
}

proc ::cmd::snat {args} {::tmm::act snat [lindex $args 0]}
proc ::cmd::snatpool {args} {}
proc ::cmd::persist {args} {}

proc ::tmm::lb_pool {path} {
  upvar #0 ::tmm::c$::tmm::cur C
  set C(pool) $path
  return
}

proc ::cmd::LB::server {{what ""}} {
  upvar #0 ::tmm::c$::tmm::cur C
  foreach name {pool server_addr server_port} {
    set $name [expr {[info exists C($name)] ? $C($name) : ""}]
  }
  switch -- $what {
    pool {return $pool}
    addr {return $server_addr}
    port {return $server_port}
    name {return $server_addr}
    ratio - weight - priority {return 1}
  }
  string trim "$pool $server_addr $server_port"
}
proc ::cmd::LB::detach {} {::tmm::act detach}
proc ::cmd::LB::reselect {args} {
  if {[lindex $args 0] eq "pool"} {::cmd::pool {*}[lrange $args 1 end]}
  ::tmm::act reselect
}
proc ::cmd::LB::status {args} {return up}
proc ::cmd::active_members {args} {
  set path [::tmm::resolve pool [lindex $args end]]
  if {$path eq ""} {return -code error "no such pool: [lindex $args end]"}
  if {[lindex $args 0] eq "-list"} {return $::tmm::pool($path)}
  llength $::tmm::pool($path)
}

proc ::cmd::TMM::cmp_unit {} {
  upvar #0 ::tmm::c$::tmm::cur C
  return $C(tmm)
}
proc ::cmd::TMM::cmp_count {} {return $::tmm::count}
proc ::cmd::TMM::cmp_group {} {return 0}
proc ::cmd::TMM::cmp_primary_group {} {return 0}

proc ::cmd::PROFILE::exists {type args} {
  upvar #0 ::tmm::c$::tmm::cur C
  expr {$type in $C(profiles)}
}

# `event NAME disable`, `event disable`, `event disable all`: for the rest of this connection.
proc ::cmd::event {args} {
  upvar #0 ::tmm::c$::tmm::cur C
  set word ""
  set name $C(event)
  foreach argument $args {
    if {$argument in {enable disable}} {set word $argument} else {set name $argument}
  }
  if {$word eq ""} {return -code error {wrong # args: should be "event ?name? enable|disable ?all?"}}
  if {$name eq "all"} {
    set C(off) [expr {$word eq "disable"}]
    if {!$C(off)} {array unset C off,*}
    return
  }
  if {$word eq "disable"} {set C(off,$name) 1} else {unset -nocomplain C(off,$name)}
  return
}

# log ?-noname? ?facility.level? message
proc ::cmd::log {args} {
  upvar #0 ::tmm::c$::tmm::cur C
  set named 1
  if {[lindex $args 0] eq "-noname"} {
    set named 0
    set args [lrange $args 1 end]
  }
  set level info
  if {[llength $args] >= 2 && [regexp {^[a-z]+[0-7]?\.([a-z]*)$} [lindex $args 0] -> given]} {
    if {$given ne ""} {set level $given}
    set args [lrange $args 1 end]
  }
  set text [lindex $args 0]
  if {$named} {set text "Rule $::tmm::path($C(version)) <$C(event)>: $text"}
  ::tmm::send log $C(tmm) $level [string map {\r " " \n " "} $text]
}

# Loads, and is an error when it is reached: the simulator has no geolocation and no iStats.
foreach name {whereis ISTATS::get ISTATS::set ISTATS::incr ISTATS::remove STREAM::enable STREAM::disable
  STREAM::expression SSL::enable SSL::disable SSL::profile SSL::cert SSL::cipher SSL::sessionid SSL::extensions} {
  if {[string match *::* $name]} {namespace eval ::cmd::[namespace qualifiers $name] {}}
  proc ::cmd::$name {args} "return -code error {the simulator has no $name}"
}
