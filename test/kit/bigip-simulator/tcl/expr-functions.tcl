# F5's word operators for plain Tcl 8.6. The front end (src/irule/expression.ts) writes
#
#   a starts_with b     as  starts_with(a,b)          a matches b        as  matches_glob(a,b)
#   a ends_with b       as  ends_with(a,b)            a matches_glob b   as  matches_glob(a,b)
#   a contains b        as  contains(a,b)             a matches_regex b  as  matches_regex(a,b)
#
# and `equals`, `and`, `or`, `not` as Tcl's own eq, &&, ||, !. An expression that substitutions make (`if $condition`,
# `expr $a + $b`) can't be rewritten ahead of time: it becomes [::edgeward::expression words...], which answers the
# same expression in plain Tcl once it is known.
#
# Source this file in every interpreter that runs rules, before commands are hidden from it: what stands here uses only
# commands that a rule keeps.

proc ::tcl::mathfunc::starts_with {text prefix} {
    return [string equal -length [string length $prefix] $prefix $text]
}

proc ::tcl::mathfunc::ends_with {text suffix} {
    set at [expr {[string length $text] - [string length $suffix]}]
    return [expr {$at >= 0 && [string equal [string range $text $at end] $suffix]}]
}

proc ::tcl::mathfunc::contains {text part} {
    # In Tcl an empty part is nowhere; every text contains it.
    return [expr {[string equal $part ""] || [string first $part $text] >= 0}]
}

proc ::tcl::mathfunc::matches_glob {text pattern} {
    return [string match $pattern $text]
}

proc ::tcl::mathfunc::matches_regex {text pattern} {
    return [regexp -- $pattern $text]
}

namespace eval ::edgeward {}

# Answers the expression with F5's operators turned into plain Tcl. One that isn't well formed comes back as it is:
# expr says what is wrong with it.
proc ::edgeward::expression {args} {
    set text [join $args]
    if {![regexp {starts_with|ends_with|contains|equals|matches|and|or|not} $text]} {
        return $text
    }
    set tokens [::edgeward::tokens $text]
    if {[llength $tokens] == 0} {
        return $text
    }
    set at 0
    if {[catch {::edgeward::conditional $tokens at} plain] || $at < [llength $tokens]} {
        return $text
    }
    return $plain
}

# The tokens of an expression, or nothing where a character can't stand. A command substitution is one token; its end
# is the first bracket that makes a complete script.
proc ::edgeward::tokens {text} {
    set tokens [list]
    set at 0
    set end [string length $text]
    while {$at < $end} {
        if {[regexp -start $at {\A\s+} $text blank]} {
            incr at [string length $blank]
            continue
        }
        set token [::edgeward::token $text $at]
        if {[string length $token] == 0} {
            return [list]
        }
        lappend tokens $token
        incr at [string length $token]
    }
    return $tokens
}

proc ::edgeward::token {text at} {
    set first [string index $text $at]
    if {[string first $first "\"\[\{"] >= 0} {
        return [::edgeward::delimited $text $at $first]
    }
    foreach pattern {
        {\A0[xX][0-9A-Fa-f]+}
        {\A(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?}
        {\A\$\{[^\}]*\}}
        {\A\$(?:[A-Za-z0-9_]|::+)+(?:\([^\)]*\))?}
        {\A[A-Za-z_][A-Za-z0-9_]*}
        {\A(?:<<|>>|<=|>=|==|!=|&&|\|\||[-+~!*/%<>&^|?:(),])}
    } {
        if {[regexp -start $at $pattern $text token]} {
            return $token
        }
    }
    return ""
}

proc ::edgeward::delimited {text at first} {
    set close [string map {\" \" \[ \] \{ \}} $first]
    set from [expr {$at + 1}]
    while {[set stop [string first $close $text $from]] >= 0} {
        set token [string range $text $at $stop]
        # A quote or a bracket that is escaped or nested doesn't complete the word.
        if {[info complete "x $token"]} {
            return $token
        }
        set from [expr {$stop + 1}]
    }
    return ""
}

# Below, `at` is the caller's position in the tokens, and every procedure answers plain Tcl.

proc ::edgeward::conditional {tokens atName} {
    upvar 1 $atName at
    set plain [::edgeward::binary $tokens at 1]
    if {[string equal [lindex $tokens $at] "?"]} {
        incr at
        set yes [::edgeward::conditional $tokens at]
        ::edgeward::expect $tokens at ":"
        append plain " ? $yes : [::edgeward::conditional $tokens at]"
    }
    return $plain
}

proc ::edgeward::precedence {token} {
    set level 0
    foreach operators {
        {|| or} {&& and} {|} {^} {&}
        {== != eq ne equals starts_with ends_with contains matches matches_glob matches_regex}
        {< > <= >=} {<< >>} {+ -} {* / %}
    } {
        incr level
        if {[lsearch -exact $operators $token] >= 0} {
            return $level
        }
    }
    return 0
}

proc ::edgeward::binary {tokens atName lowest} {
    upvar 1 $atName at
    set plain [::edgeward::unary $tokens at]
    while {1} {
        set operator [lindex $tokens $at]
        set level [::edgeward::precedence $operator]
        if {$level < $lowest} {
            return $plain
        }
        incr at
        set right [::edgeward::binary $tokens at [expr {$level + 1}]]
        switch -exact -- $operator {
            and { append plain " && $right" }
            or { append plain " || $right" }
            equals { append plain " eq $right" }
            matches { set plain "matches_glob($plain,$right)" }
            starts_with - ends_with - contains - matches_glob - matches_regex { set plain "${operator}($plain,$right)" }
            default { append plain " $operator $right" }
        }
    }
}

proc ::edgeward::unary {tokens atName} {
    upvar 1 $atName at
    set token [lindex $tokens $at]
    if {[lsearch -exact {not ! ~ - +} $token] < 0} {
        return [::edgeward::primary $tokens at]
    }
    incr at
    if {[string equal $token "not"]} {
        set token "!"
    }
    return "$token[::edgeward::unary $tokens at]"
}

proc ::edgeward::primary {tokens atName} {
    upvar 1 $atName at
    set token [lindex $tokens $at]
    if {$at >= [llength $tokens]} {
        error "premature end of expression"
    }
    incr at
    if {[string equal $token "("]} {
        set plain "([::edgeward::conditional $tokens at])"
        ::edgeward::expect $tokens at ")"
        return $plain
    }
    if {[regexp {^[A-Za-z_]} $token] && [string equal [lindex $tokens $at] "("]} {
        return "$token[::edgeward::parameters $tokens at]"
    }
    if {[::edgeward::precedence $token] > 0 || [string first $token "?:),"] >= 0} {
        error "unexpected operator $token"
    }
    return $token
}

proc ::edgeward::parameters {tokens atName} {
    upvar 1 $atName at
    incr at
    set plain "("
    if {![string equal [lindex $tokens $at] ")"]} {
        append plain [::edgeward::conditional $tokens at]
        while {[string equal [lindex $tokens $at] ","]} {
            incr at
            append plain ",[::edgeward::conditional $tokens at]"
        }
    }
    ::edgeward::expect $tokens at ")"
    return "$plain)"
}

proc ::edgeward::expect {tokens atName token} {
    upvar 1 $atName at
    if {![string equal [lindex $tokens $at] $token]} {
        error "missing $token"
    }
    incr at
}
