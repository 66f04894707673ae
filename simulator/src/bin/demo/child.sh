# Runs one program and looks after it: passes on the signals that are named line by line, and kills the program when
# the pipe they come from closes, which the kernel does for the demo however that ends.
# Arguments: the program and its own arguments.

# An asynchronous command of a shell reads from /dev/null; the pipe has to be kept by another number.
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
(
    while read -r signal <&3; do kill -s "$signal" "$child"; done
    kill -s KILL "$child"
) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$child" 2>/dev/null
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
