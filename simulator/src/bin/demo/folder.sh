# Removes the demo's folder when the pipe to the demo closes, which the kernel does however the demo ends.
# Argument: the folder.
trap : HUP INT QUIT TERM
while read -r _; do :; done
rm -rf "$1"
