# MD5 (RFC 1321), SHA-1 and SHA-256 (FIPS 180-4) over byte strings: binary results, as in TMM.

namespace eval ::tmm {
  variable md5_shifts {7 12 17 22  5 9 14 20  4 11 16 23  6 10 15 21}
  variable md5_sines {}
  for {set i 1} {$i <= 64} {incr i} {lappend md5_sines [expr {int(abs(sin($i)) * 4294967296.0)}]}
  variable sha256_constants {}
  for {set prime 2} {[llength $sha256_constants] < 64} {incr prime} {
    for {set divisor 2} {$divisor * $divisor <= $prime && $prime % $divisor} {incr divisor} {}
    if {$divisor * $divisor <= $prime} continue
    # The first 32 bits of the fraction of the cube root, in integers: floor(cbrt(prime) * 2^32) by bisection.
    set low 0
    set high [expr {8 << 32}]
    while {$high - $low > 1} {
      set middle [expr {($low + $high) / 2}]
      if {$middle ** 3 <= ($prime << 96)} {set low $middle} else {set high $middle}
    }
    lappend sha256_constants [expr {$low & 0xffffffff}]
  }
}

proc ::tmm::padded {text format} {
  set bits [expr {[string length $text] * 8}]
  append text \x80
  append text [string repeat \0 [expr {(56 - [string length $text]) % 64}]]
  append text [binary format $format $bits]
}

proc ::tmm::turned {word by} {expr {(($word << $by) | ($word >> (32 - $by))) & 0xffffffff}}

proc ::cmd::md5 {text} {
  set state {0x67452301 0xefcdab89 0x98badcfe 0x10325476}
  binary scan [::tmm::padded $text w] iu* words
  for {set block 0} {$block < [llength $words]} {incr block 16} {
    lassign $state a b c d
    for {set i 0} {$i < 64} {incr i} {
      switch -- [expr {$i >> 4}] {
        0 {set f [expr {($b & $c) | (~$b & $d)}]; set g $i}
        1 {set f [expr {($d & $b) | (~$d & $c)}]; set g [expr {(5 * $i + 1) & 15}]}
        2 {set f [expr {$b ^ $c ^ $d}]; set g [expr {(3 * $i + 5) & 15}]}
        3 {set f [expr {$c ^ ($b | (~$d & 0xffffffff))}]; set g [expr {(7 * $i) & 15}]}
      }
      set sum [expr {($a + $f + [lindex $::tmm::md5_sines $i] + [lindex $words $block+$g]) & 0xffffffff}]
      set shift [lindex $::tmm::md5_shifts [expr {($i >> 4) * 4 + ($i & 3)}]]
      lassign [list $d [expr {($b + [::tmm::turned $sum $shift]) & 0xffffffff}] $b $c] a b c d
    }
    set next {}
    foreach old $state new [list $a $b $c $d] {lappend next [expr {($old + $new) & 0xffffffff}]}
    set state $next
  }
  binary format i4 $state
}

proc ::cmd::sha1 {text} {
  set state {0x67452301 0xefcdab89 0x98badcfe 0x10325476 0xc3d2e1f0}
  binary scan [::tmm::padded $text W] Iu* words
  for {set block 0} {$block < [llength $words]} {incr block 16} {
    set w [lrange $words $block $block+15]
    for {set i 16} {$i < 80} {incr i} {
      lappend w [::tmm::turned [expr {[lindex $w $i-3] ^ [lindex $w $i-8] ^ [lindex $w $i-14] ^ [lindex $w $i-16]}] 1]
    }
    lassign $state a b c d e
    for {set i 0} {$i < 80} {incr i} {
      if {$i < 20} {
        set f [expr {(($b & $c) | (~$b & $d)) + 0x5a827999}]
      } elseif {$i < 40} {
        set f [expr {($b ^ $c ^ $d) + 0x6ed9eba1}]
      } elseif {$i < 60} {
        set f [expr {(($b & $c) | ($b & $d) | ($c & $d)) + 0x8f1bbcdc}]
      } else {
        set f [expr {($b ^ $c ^ $d) + 0xca62c1d6}]
      }
      set sum [expr {([::tmm::turned $a 5] + $f + $e + [lindex $w $i]) & 0xffffffff}]
      lassign [list $sum $a [::tmm::turned $b 30] $c $d] a b c d e
    }
    set next {}
    foreach old $state new [list $a $b $c $d $e] {lappend next [expr {($old + $new) & 0xffffffff}]}
    set state $next
  }
  binary format I5 $state
}

proc ::cmd::sha256 {text} {
  set state {0x6a09e667 0xbb67ae85 0x3c6ef372 0xa54ff53a 0x510e527f 0x9b05688c 0x1f83d9ab 0x5be0cd19}
  binary scan [::tmm::padded $text W] Iu* words
  for {set block 0} {$block < [llength $words]} {incr block 16} {
    set w [lrange $words $block $block+15]
    for {set i 16} {$i < 64} {incr i} {
      set x [lindex $w $i-15]
      set y [lindex $w $i-2]
      set s0 [expr {[::tmm::turned $x 25] ^ [::tmm::turned $x 14] ^ ($x >> 3)}]
      set s1 [expr {[::tmm::turned $y 15] ^ [::tmm::turned $y 13] ^ ($y >> 10)}]
      lappend w [expr {([lindex $w $i-16] + $s0 + [lindex $w $i-7] + $s1) & 0xffffffff}]
    }
    lassign $state a b c d e f g h
    for {set i 0} {$i < 64} {incr i} {
      set s1 [expr {[::tmm::turned $e 26] ^ [::tmm::turned $e 21] ^ [::tmm::turned $e 7]}]
      set choice [expr {($e & $f) ^ (~$e & $g)}]
      set t1 [expr {$h + $s1 + $choice + [lindex $::tmm::sha256_constants $i] + [lindex $w $i]}]
      set s0 [expr {[::tmm::turned $a 30] ^ [::tmm::turned $a 19] ^ [::tmm::turned $a 10]}]
      set t2 [expr {$s0 + (($a & $b) ^ ($a & $c) ^ ($b & $c))}]
      lassign [list [expr {($t1 + $t2) & 0xffffffff}] $a $b $c [expr {($d + $t1) & 0xffffffff}] $e $f $g] a b c d e f g h
    }
    set next {}
    foreach old $state new [list $a $b $c $d $e $f $g $h] {lappend next [expr {($old + $new) & 0xffffffff}]}
    set state $next
  }
  binary format I8 $state
}
