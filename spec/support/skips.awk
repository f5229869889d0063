# skips.awk - lists what ctest's log says was skipped, with the reasons
#
# C tests print "skipped: REASON" and then "ok NAME # SKIP"; busted's TAP
# prints "ok 3 - # SKIP REASON".  Headings of the log name the ctest entry.

function say(text) {
  if (!found++) {
    print "Skipped:"
  }
  print "  " entry ": " text
}

/^ *[0-9]+\/[0-9]+ Testing: / { entry = $3 }
/^skipped: / { reason = substr($0, 10) }
/^ok [0-9]+ - # SKIP / { sub(/^ok [0-9]+ - # SKIP /, ""); say($0); next }
/^ok [^ ]+ # SKIP$/ { say($2 ": " reason); reason = "" }
