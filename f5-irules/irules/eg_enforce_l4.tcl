# Edgeward, layer 4: lines 1 to 5 of the verdict, when a connection (or a UDP flow) begins.
#
# It reads data groups and nothing else, so a policy never changes this text. What fails denies, but for what is only
# observed. Rules of other makers are left alone: nothing here disables an event.

when CLIENT_ACCEPTED priority 10 {
    set eg_reason internal-error
    set eg_rule ""
    set eg_revision 0
    set eg_mode enforce
    set eg_protocol ""
    set eg_transport tcp
    set eg_port 0
    set eg_peer ""
    set eg_peer_port ""
    # By which entry of the map, and as whom, this connection was judged; layer 7 asks again when either is another.
    set eg_entry ""
    set eg_source ""
    set eg_who ""
    set eg_told ""
    # Whether bytes may reach a server only after layer 7 has looked at them.
    set eg_pending 0
    if { [catch {
        set eg_mode [call eg_last_mode [virtual name]]
        set eg_peer [call eg_folded [IP::client_addr]]
        if { [IP::protocol] == 17 } {
            set eg_transport udp
            set eg_port [UDP::local_port]
            set eg_peer_port [UDP::client_port]
        } else {
            set eg_port [TCP::local_port]
            set eg_peer_port [TCP::client_port]
        }
        set eg_entry [class match -value -- [virtual name] equals /Edgeward/eg_map]
        if { $eg_entry eq "" } {
            set eg_head [class match -value -- edgeward equals /Edgeward/eg_map]
            foreach { eg_reason eg_mode eg_revision } [call eg_missing $eg_head $eg_mode] { break }
        } else {
            foreach { eg_revision eg_mode eg_protocol eg_sources eg_requests eg_domain eg_flags } $eg_entry { break }
            set static::eg_modes([virtual name]) $eg_mode
            if { $eg_mode eq "off" } {
                set eg_reason mode-off
            } else {
                set eg_source $eg_peer
                if { $eg_sources ne "-" } {
                    set eg_who [class match -value -- $eg_source equals /Edgeward/$eg_sources]
                }
                # A trusted proxy speaks for others: each of its requests is judged by whom it names.
                if { [string match *proxies* $eg_flags] && [lindex $eg_who 0] eq "trusted" } {
                    set eg_reason requests
                } else {
                    foreach { eg_reason eg_rule } [call eg_outcome $eg_who $eg_transport $eg_port] { break }
                }
                # Requests that nobody would look at can't be judged safely.
                if { $eg_reason eq "requests" && [string match *blind* $eg_flags] } {
                    set eg_reason bad-request
                    set eg_rule ""
                }
            }
        }
    } eg_problem] } {
        set eg_reason internal-error
        set eg_rule ""
        catch { call eg_failed $eg_problem }
    }
    if { $eg_mode ne "off" && $eg_reason ne "allowed-by-rule" && $eg_reason ne "requests" } {
        set eg_verdict deny
        if { $eg_mode eq "observe" } {
            set eg_verdict would-deny
            # Layer 7 would say the same of every request: one connection, one event.
            set eg_told "$eg_entry $eg_source"
        }
        catch {
            call eg_record $eg_verdict $eg_reason $eg_rule $eg_revision [virtual name] $eg_peer $eg_peer $eg_peer_port $eg_transport/$eg_port "" "" ""
        }
        if { $eg_verdict eq "deny" } {
            reject
            return
        }
    }
    if { $eg_reason eq "requests" } {
        set eg_pending 1
    }
    # Of such an object connections are judged, and this one was.
    if { $eg_protocol eq "tcp" } {
        set eg_accepted 1
    }
}

# A server was chosen for what layer 7 should have judged first and did not: its rule is not attached, or the HTTP filter
# let bytes pass that it did not read as a request.
when LB_SELECTED priority 10 {
    # What is off, or judged as a connection, needs no request to be read.
    if { [info exists eg_pending] && $eg_pending && $eg_mode ne "off" && !($eg_protocol eq "tcp" && [info exists eg_accepted]) } {
        set eg_verdict deny
        if { $eg_mode eq "observe" } {
            set eg_verdict would-deny
            set eg_pending 0
        }
        catch {
            call eg_record $eg_verdict bad-request "" $eg_revision [virtual name] $eg_peer $eg_peer $eg_peer_port tcp/$eg_port "" "" ""
        }
        if { $eg_verdict eq "deny" } {
            reject
        }
    }
}
