
# What follows stands in both rules: each can be attached, read and replaced without the other.

when RULE_INIT {
    set static::eg_escapes [list]
    for { set eg_code 32 } { $eg_code < 127 } { incr eg_code } {
        set eg_char [format %c $eg_code]
        if { ![regexp -- {[A-Za-z0-9._~/-]} $eg_char] } {
            lappend static::eg_escapes $eg_char [format %%%02X $eg_code]
        }
    }
    set static::eg_high [list]
    for { set eg_code 128 } { $eg_code < 256 } { incr eg_code } {
        lappend static::eg_high [format %c $eg_code] [format %%%02X $eg_code]
    }
    # Saving a rule runs this again: numbers go on, so that no gap is seen where there is none.
    if { ![info exists static::eg_sequence] } { set static::eg_sequence 0 }
    if { ![info exists static::eg_denials] } { set static::eg_denials 0 }
    if { ![info exists static::eg_suppressed] } { set static::eg_suppressed 0 }
    if { ![info exists static::eg_second] } { set static::eg_second 0 }
    if { ![info exists static::eg_left] } { set static::eg_left 0 }
    if { ![info exists static::eg_failed_at] } { set static::eg_failed_at 0 }
    if { ![info exists static::eg_rules_chars] } { set static::eg_rules_chars 0 }
    if { ![info exists static::eg_epoch] } {
        set static::eg_epoch [format %08x [expr { int(rand() * 2147483647) ^ ([clock clicks] & 2147483647) }]]
    }
    if { ![info exists static::eg_secret] } {
        set static::eg_secret "$static::eg_epoch [clock clicks] [expr { rand() }] [TMM::cmp_unit]"
    }
}

# The mode that a virtual server was last known to have: what is only observed must pass whatever fails.
proc eg_last_mode { name } {
    if { [info exists static::eg_modes($name)] } {
        return $static::eg_modes($name)
    }
    return enforce
}

# Reason, mode and revision where the map has no entry: without a head there is no policy at all.
proc eg_missing { head mode } {
    if { $head eq "" } {
        return [list no-policy $mode 0]
    }
    return [list unknown-object enforce [lindex $head 1]]
}

# Once a second and TMM: the log of the box is no place for a flood.
proc eg_failed { problem } {
    set now [clock seconds]
    if { $now != $static::eg_failed_at } {
        set static::eg_failed_at $now
        log local0.err "edgeward: the verdict failed: $problem"
    }
}

# Lines 3 to 5 of the verdict: what is known of a source on this port, as a list of reason and rule. `requests` means
# that a request must be seen first; its second word then is the key of what to compare with.
proc eg_outcome { who transport port } {
    if { [lindex $who 0] eq "trusted" } {
        set who [lrange $who 1 end]
    }
    if { $who eq "" } {
        return [list unknown-source ""]
    }
    if { $who eq "no-port" } {
        return [list port-not-allowed ""]
    }
    foreach { protocol low high outcome argument } $who {
        if { $protocol eq $transport && $low <= $port && $port <= $high } {
            switch -exact -- $outcome {
                allow { return [list allowed-by-rule $argument] }
                deny { return [list denied-by-rule $argument] }
                requests { return [list requests $argument] }
                default { return [list request-not-allowed ""] }
            }
        }
    }
    return [list port-not-allowed ""]
}

# A peer as its policy knows it: IPv4-mapped IPv6 is the IPv4 address, in the same route domain.
proc eg_folded { peer } {
    if { ![string match -nocase ::ffff:*.* $peer] } {
        return $peer
    }
    set domain [string first % $peer]
    if { $domain < 0 } {
        return [call eg_address $peer]
    }
    return [call eg_address [string range $peer 0 [expr { $domain - 1 }]]][string range $peer $domain end]
}

# Text as an address that a data group can be asked for, or "" when it is none.
proc eg_address { text } {
    set text [string tolower [string trim $text " \t\r\n"]]
    if { [string first : $text] < 0 } {
        return [call eg_ipv4 $text]
    }
    if { [string first . $text] >= 0 } {
        set colon [string last : $text]
        set embedded [call eg_ipv4 [string range $text [expr { $colon + 1 }] end]]
        if { $embedded eq "" } {
            return ""
        }
        foreach { a b c d } [split $embedded .] { break }
        set text [string range $text 0 $colon][format %x%02x:%x%02x $a $b $c $d]
    }
    set gap [string first :: $text]
    if { $gap < 0 } {
        set groups [split $text :]
        if { [llength $groups] != 8 } {
            return ""
        }
    } else {
        set head [split [string range $text 0 [expr { $gap - 1 }]] :]
        set tail [split [string range $text [expr { $gap + 2 }] end] :]
        set missing [expr { 8 - [llength $head] - [llength $tail] }]
        if { $missing < 1 } {
            return ""
        }
        set groups $head
        for { set i 0 } { $i < $missing } { incr i } {
            lappend groups 0
        }
        foreach group $tail {
            lappend groups $group
        }
    }
    set out [list]
    foreach group $groups {
        if { ![regexp -- {^[0-9a-f]{1,4}$} $group] } {
            return ""
        }
        scan $group %x number
        lappend out [format %x $number]
    }
    # IPv4-mapped IPv6 is the IPv4 address (RFC 4291, 2.5.5.2).
    set out [join $out :]
    if { [string match 0:0:0:0:0:ffff:* $out] } {
        scan $out 0:0:0:0:0:ffff:%x:%x high low
        return [expr { $high >> 8 }].[expr { $high & 255 }].[expr { $low >> 8 }].[expr { $low & 255 }]
    }
    return $out
}

proc eg_ipv4 { text } {
    set octet {(0|[1-9][0-9]{0,2})}
    if { ![regexp -- "^$octet\\.$octet\\.$octet\\.$octet\$" $text all a b c d] } {
        return ""
    }
    if { $a > 255 || $b > 255 || $c > 255 || $d > 255 } {
        return ""
    }
    return $text
}

# Sends a denial to the collector, and answers its reference. Traffic never waits for it, and what was not sent is counted:
# at most 200 a second and TMM, so that a flood costs the collector no more than that.
proc eg_record { verdict reason rule revision object source peer peer_port port method target host } {
    incr static::eg_denials
    binary scan [md5 "$static::eg_secret $static::eg_denials"] H16 ref
    set now [clock seconds]
    if { $now != $static::eg_second } {
        set static::eg_second $now
        set static::eg_left 200
    }
    if { $static::eg_left <= 0 } {
        incr static::eg_suppressed
        return $ref
    }
    incr static::eg_left -1
    incr static::eg_sequence
    # A query may hold secrets and never decides anything.
    set query [string first ? $target]
    if { $query >= 0 } {
        set target [string range $target 0 [expr { $query - 1 }]]
    }
    # Nor is a user's name in an absolute target.
    regsub -- {://[^/@]*@} $target :// target
    set truncated false
    if { [string length $target] > 1024 } {
        set truncated true
    }
    set source [lindex [split $source %] 0]
    set peer [lindex [split $peer %] 0]
    set event [format {{"v":1,"t":%s000,"ref":"%s","object":%s,"source":%s,"peer":%s,"peerPort":%s,"port":"%s","method":%s,"path":%s,"truncated":%s,"host":%s,"verdict":"%s","reason":"%s","rule":%s,"revision":%s}} \
        $now $ref [call eg_quoted $object 1024] [call eg_quoted $source 64] [call eg_quoted $peer 64] [call eg_number $peer_port] $port \
        [call eg_quoted $method 64] [call eg_quoted $target 1024] $truncated [call eg_quoted $host 256] \
        $verdict $reason [call eg_quoted $rule 64] [call eg_number $revision]]
    set line "<134>1 - - edgeward - deny \[edgeward@32473 tmm=\"[TMM::cmp_unit]\" epoch=\"$static::eg_epoch\" seq=\"$static::eg_sequence\" suppressed=\"$static::eg_suppressed\"\] $event\n"
    # A publisher that is missing, or a pool that is down, is a gap in the numbers and never a denied client.
    catch { HSL::send [HSL::open -publisher /Edgeward/eg_audit] $line }
    return $ref
}

proc eg_number { text } {
    if { [regexp -- {^(0|[1-9][0-9]{0,14})$} $text] } {
        return $text
    }
    return null
}

# As a JSON string, or null. What a client chose stands in it as %XX where it is no plain character.
proc eg_quoted { text limit } {
    if { $text eq "" } {
        return null
    }
    set text [string range $text 0 [expr { $limit - 1 }]]
    if { [regexp -- {[^ !#-\[\]-~]} $text] } {
        set out ""
        foreach char [split $text ""] {
            if { [regexp -- {[ !#-\[\]-~]} $char] } {
                append out $char
            } else {
                scan $char %c code
                append out [format %%%02x $code]
            }
        }
        set text $out
    }
    return "\"$text\""
}
