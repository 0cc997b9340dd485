# Edgeward, layer 7: every line of the verdict, for each request.
#
# A connection may live longer than a policy, and a proxy's requests come from many sources, so each request looks up the
# map; what layer 4 found is used as long as entry and source are the same. What fails denies, but for what is only observed.

when HTTP_REQUEST priority 10 {
    # Until this request was let through, no server may see it: the rule of layer 4 holds that.
    set eg_pending 1
    # A rule that ran before has answered already: there is nothing left to judge, and nothing here could.
    if { [catch { set eg_method [HTTP::method] }] } {
        return
    }
    set eg_reason internal-error
    set eg_rule ""
    set eg_revision 0
    set eg_mode enforce
    set eg_port 0
    set eg_peer ""
    set eg_client ""
    set eg_peer_port ""
    set eg_before ""
    if { [info exists eg_entry] } {
        set eg_before $eg_entry
    }
    if { [catch {
        set eg_mode [call eg_last_mode [virtual name]]
        set eg_peer [call eg_folded [IP::client_addr]]
        set eg_client $eg_peer
        set eg_port [TCP::local_port]
        set eg_peer_port [TCP::client_port]
        set eg_entry [class match -value -- [virtual name] equals /Edgeward/eg_map]
        if { $eg_entry eq "" } {
            set eg_head [class match -value -- edgeward equals /Edgeward/eg_map]
            foreach { eg_reason eg_mode eg_revision } [call eg_missing $eg_head $eg_mode] { break }
        } else {
            foreach { eg_revision eg_mode eg_protocol eg_sources eg_requests eg_domain eg_flags } $eg_entry { break }
            set static::eg_modes([virtual name]) $eg_mode
            if { $eg_mode eq "off" } {
                set eg_reason mode-off
            } elseif { $eg_protocol eq "tcp" && [info exists eg_accepted] } {
                # Layer 4 judged the connection, and of this object nothing else is judged.
                set eg_reason allowed-by-rule
            } else {
                if { $eg_entry ne $eg_before || $eg_client ne $eg_source } {
                    set eg_source $eg_client
                    set eg_who ""
                    if { $eg_sources ne "-" } {
                        set eg_who [class match -value -- $eg_source equals /Edgeward/$eg_sources]
                    }
                }
                if { [string match *proxies* $eg_flags] && [lindex $eg_who 0] eq "trusted" } {
                    # From the right: what stands left of an entry that is not trusted, or not readable, nobody vouches for.
                    # Of one header the value: whether `values` of it is a list or that value is told differently.
                    if { [HTTP::header count X-Forwarded-For] == 1 } {
                        set eg_forwarded [HTTP::header value X-Forwarded-For]
                    } else {
                        set eg_forwarded [join [HTTP::header values X-Forwarded-For] ,]
                    }
                    set eg_chain [split $eg_forwarded ,]
                    for { set eg_at [expr { [llength $eg_chain] - 1 }] } { $eg_at >= 0 } { incr eg_at -1 } {
                        set eg_address [call eg_address [lindex $eg_chain $eg_at]]
                        if { $eg_address eq "" } {
                            break
                        }
                        if { $eg_domain ne "0" } {
                            append eg_address %$eg_domain
                        }
                        set eg_source $eg_address
                        set eg_who [class match -value -- $eg_source equals /Edgeward/$eg_sources]
                        if { [lindex $eg_who 0] ne "trusted" } {
                            break
                        }
                    }
                }
                foreach { eg_reason eg_rule } [call eg_outcome $eg_who tcp $eg_port] { break }
                if { $eg_reason eq "requests" } {
                    set eg_key $eg_rule
                    set eg_reason bad-request
                    set eg_rule ""
                    if { [HTTP::header count Host] == 1 } {
                        set eg_hosts [list [HTTP::header value Host]]
                    } else {
                        set eg_hosts [HTTP::header values Host]
                    }
                    # After an upgrade to HTTP/2 in clear nobody reads what is asked.
                    if { [string match -nocase *h2c* [HTTP::header values Upgrade]] } {
                        set eg_request ""
                    } else {
                        set eg_request [call eg_request $eg_method [HTTP::uri] $eg_hosts]
                    }
                    if { $eg_request ne "" } {
                        # A request group never changes under its name, but for a repair, which changes the flags.
                        set eg_cached $eg_requests/$eg_key/$eg_flags
                        if { [info exists static::eg_rules($eg_cached)] } {
                            set eg_alternatives $static::eg_rules($eg_cached)
                        } else {
                            set eg_alternatives [class match -value -- $eg_key equals /Edgeward/$eg_requests]
                            for { set eg_at 1 } { [string range $eg_alternatives end-1 end] eq " +" } { incr eg_at } {
                                set eg_more [class match -value -- $eg_key.$eg_at equals /Edgeward/$eg_requests]
                                set eg_alternatives [string range $eg_alternatives 0 end-1]$eg_more
                            }
                            if { $eg_alternatives eq "" } {
                                error "the request group $eg_requests lacks $eg_key"
                            }
                            incr static::eg_rules_chars [string length $eg_alternatives]
                            if { $static::eg_rules_chars > 2000000 } {
                                unset static::eg_rules
                                set static::eg_rules_chars [string length $eg_alternatives]
                            }
                            set static::eg_rules($eg_cached) $eg_alternatives
                        }
                        foreach { eg_reason eg_rule } [call eg_matching $eg_alternatives $eg_method [lindex $eg_request 0] [lindex $eg_request 1]] { break }
                    }
                }
            }
        }
    } eg_problem] } {
        set eg_reason internal-error
        set eg_rule ""
        # Nothing that was read by half may be used by the next request.
        set eg_entry ""
        catch { call eg_failed $eg_problem }
    }
    if { $eg_mode ne "off" && $eg_reason ne "allowed-by-rule" } {
        set eg_verdict deny
        set eg_silent 0
        if { $eg_mode eq "observe" } {
            set eg_verdict would-deny
            if { [info exists eg_told] && $eg_told eq "$eg_entry $eg_source" } {
                set eg_silent 1
            }
        }
        set eg_ref ""
        if { !$eg_silent } {
            catch {
                set eg_judged $eg_client
                if { [info exists eg_source] && $eg_source ne "" } {
                    set eg_judged $eg_source
                }
                set eg_ref [call eg_record $eg_verdict $eg_reason $eg_rule $eg_revision [virtual name] $eg_judged $eg_peer $eg_peer_port tcp/$eg_port $eg_method [HTTP::uri] [HTTP::header value Host]]
            }
        }
        if { $eg_verdict eq "deny" } {
            HTTP::respond 403 content "denied $eg_ref\n" noserver Content-Type text/plain Edgeward-Ref $eg_ref Cache-Control no-store
            return
        }
    }
    set eg_pending 0
}

# A request in the one form that rules are compared with: a list of path and host, or "" when it can't be brought into it
# without guessing. Both are written with %XX for what is not A-Z a-z 0-9 . _ ~ / - and the path is decoded once.
proc eg_request { method target hosts } {
    if { $method eq "CONNECT" } {
        return ""
    }
    if { $target eq "" } {
        set target /
    }
    if { [regexp -- {^[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)(.*)$} $target all authority rest] } {
        if { $authority eq "" || [string first @ $authority] >= 0 } {
            return ""
        }
        set hosts [linsert $hosts 0 $authority]
        set target $rest
        if { $target eq "" || [string index $target 0] eq "?" } {
            set target /$target
        }
    }
    set host ""
    set first 1
    foreach named $hosts {
        set named [call eg_host $named]
        if { !$first && $named ne $host } {
            return ""
        }
        set host $named
        set first 0
    }
    set path [call eg_path $target]
    if { $path eq "" } {
        return ""
    }
    return [list $path [string map $static::eg_escapes $host]]
}

# Lower case (of ASCII alone), without port and final dot.
proc eg_host { host } {
    set host [string map { A a B b C c D d E e F f G g H h I i J j K k L l M m N n O o P p Q q R r S s T t U u V v W w X x Y y Z z } [string trim $host " \t\r\n"]]
    regsub -- {:[0-9]*$} $host "" host
    regsub -- {\.$} $host "" host
    return $host
}

proc eg_path { target } {
    set query [string first ? $target]
    if { $query >= 0 } {
        set target [string range $target 0 [expr { $query - 1 }]]
    }
    if { [string index $target 0] ne "/" || [regexp -- {[\x00-\x1f\x7f\\#]} $target] } {
        return ""
    }
    if { ![regexp -- {^[A-Za-z0-9._~/-]*$} $target] } {
        set target [call eg_decoded [call eg_ascii $target]]
    }
    if { $target eq "" } {
        return ""
    }
    set segments [lrange [split $target /] 1 end]
    # From the right, because a segment is taken away by the `..` that follow it; those that find none climb out.
    set taken 0
    set kept [list]
    for { set at [expr { [llength $segments] - 1 }] } { $at >= 0 } { incr at -1 } {
        set segment [lindex $segments $at]
        if { $segment eq "" || $segment eq "." } {
            continue
        }
        if { $segment eq ".." } {
            incr taken
            continue
        }
        if { [regexp -- {^\.\.?%3B} $segment] } {
            return ""
        }
        if { $taken > 0 } {
            incr taken -1
            continue
        }
        lappend kept $segment
    }
    if { $taken > 0 } {
        return ""
    }
    set plain [list]
    for { set at [expr { [llength $kept] - 1 }] } { $at >= 0 } { incr at -1 } {
        lappend plain [lindex $kept $at]
    }
    set path /[join $plain /]
    set last [lindex $segments end]
    if { [llength $plain] > 0 && ($last eq "" || $last eq "." || $last eq "..") } {
        append path /
    }
    return $path
}

# Bytes beyond ASCII as escapes.
proc eg_ascii { text } {
    set text [string map $static::eg_high $text]
    # Strings are bytes here; whatever else came is no escape, and so unsafe.
    if { [regexp -- {[^\x00-\x7f]} $text] } {
        return %
    }
    return $text
}

# Decoded once and escaped again in one way only; "" when it is unsafe: an encoded slash, backslash or control character, a
# malformed escape, an escape that decodes to another, bytes that are no UTF-8.
proc eg_decoded { text } {
    if { [regexp -nocase -- {%(2f|5c|[01][0-9a-f]|7f)} $text] || [regexp -- {%(?![0-9A-Fa-f][0-9A-Fa-f])} $text] } {
        return ""
    }
    set parts [split $text %]
    set out [string map $static::eg_escapes [lindex $parts 0]]
    foreach part [lrange $parts 1 end] {
        scan [string range $part 0 1] %x code
        if { $code > 127 } {
            append out [format %%%02X $code]
        } else {
            append out [string map $static::eg_escapes [format %c $code]]
        }
        append out [string map $static::eg_escapes [string range $part 2 end]]
    }
    if { [regexp -- {%25[0-9A-Fa-f][0-9A-Fa-f]} $out] } {
        return ""
    }
    # RFC 3629: what is left after every well-formed character was taken away has no byte beyond ASCII.
    regsub -all -- {%(C[2-9A-F]|D[0-9A-F])%[89AB][0-9A-F]|%E0%[AB][0-9A-F]%[89AB][0-9A-F]|%E[1-9A-CEF](%[89AB][0-9A-F]){2}|%ED%[89][0-9A-F]%[89AB][0-9A-F]|%F0%[9AB][0-9A-F](%[89AB][0-9A-F]){2}|%F[1-3](%[89AB][0-9A-F]){3}|%F4%8[0-9A-F](%[89AB][0-9A-F]){2}} $out "" rest
    if { [regexp -- {%[89A-F]} $rest] } {
        return ""
    }
    return $out
}

# The first alternative that matches: those that deny come first, then those that allow, each by id.
proc eg_matching { alternatives method path host } {
    foreach { action rule methods pattern hosts } $alternatives {
        if { $methods ne "*" && [lsearch -exact [split $methods ,] $method] < 0 } {
            continue
        }
        if { $hosts ne "*" && ($host eq "" || [lsearch -exact [split $hosts ,] $host] < 0) } {
            continue
        }
        if { $pattern ne "*" && $pattern ne $path } {
            if { [string range $pattern end-1 end] ne "/*" } {
                continue
            }
            set base [string range $pattern 0 end-2]
            if { $path ne $base && [string first $base/ $path] != 0 } {
                continue
            }
        }
        if { $action eq "allow" } {
            return [list allowed-by-rule $rule]
        }
        return [list denied-by-rule $rule]
    }
    return [list request-not-allowed ""]
}
