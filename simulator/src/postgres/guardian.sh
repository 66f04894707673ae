# Looks after one private Postgres: does what it is told line by line, and when the pipe it reads from closes, which
# the kernel does for a program however that ends, stops the server and removes its folder.
# Arguments: the folder of the programs; the folder to make and to remove; lines for postgresql.conf; flags for initdb.
bin=$1 folder=$2 settings=$3
shift 3
data=$folder/data log=$folder/log

# A signal ends `read` and so the loop: an orderly end. Answering a program that is gone must not end us half-way.
trap : HUP INT QUIT TERM
trap '' PIPE

ctl() { "$bin/pg_ctl" --pgdata="$data" --silent --log="$log" "$@" </dev/null >>"$log" 2>&1; }

initialise() {
    "$bin/initdb" --pgdata="$data" --username=postgres --auth=trust --encoding=UTF8 --locale=C "$@" \
        </dev/null >>"$log" 2>&1 &&
        printf '%s\n' "$settings" >>"$data/postgresql.conf"
}

umask 077
mkdir "$folder" && cd "$folder" || exit 1
while read -r order; do
    case $order in
    initialise) initialise "$@" ;;
    start) ctl --wait --timeout=60 start ;;
    stop) ctl --mode=immediate --timeout=10 stop ;;
    *) false ;;
    esac
    if [ $? -eq 0 ]; then echo done; else echo failed; fi
done

# Immediately: what the server would still write down is removed with the folder.
ctl --mode=immediate --timeout=10 stop
cd /
rm -rf "$folder"
