# The functions of /lib/functions.sh and procd.sh that the init script calls. `uci export` prints a configuration as commands
# of a shell, which is what files of configurations look like too. Calls of procd's are recorded in the file $CALLS, arguments
# between units (0x1F), calls between records (0x1E).
config() { kind=$1 section=$2; eval "is_$2=$1"; sections="$sections $2"; config_cb "$1" "$2"; }
option() { eval "option_${section}_$1=\$2"; option_cb "$1" "$2"; }
list() {
  eval "length=\${option_${section}_$1_LENGTH:-0}"
  length=$((length + 1))
  eval "option_${section}_$1_LENGTH=$length; option_${section}_$1_ITEM$length=\$2"
  list_cb "$1" "$2"
}
config_cb() { :; }
option_cb() { :; }
list_cb() { :; }
config_load() {
  for section in $sections; do unset "is_$section"; done
  for name in $(set | sed -n 's/^\(option_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
  sections=
  . "$UCI/$1"
}
config_get() { eval "$1=\${option_${2}_$3:-\$4}"; }
config_get_bool() {
  config_get "$@"
  eval "case \$$1 in 1 | on | true | enabled) $1=1 ;; 0 | off | false | disabled) $1=0 ;; *) $1=\$4 ;; esac"
}
config_foreach() {
  local function=$1 of=$2 each is
  shift 2
  for each in $sections; do
    eval "is=\$is_$each"
    [ "$is" != "$of" ] || "$function" "$each" "$@"
  done
}
# Some versions pass further arguments as one, and all have these local names.
config_list_foreach() {
  local section=$1 option=$2 function=$3 c=1 len val
  shift 3
  config_get len "$section" "${option}_LENGTH"
  while [ "$c" -le "${len:-0}" ]; do
    config_get val "$section" "${option}_ITEM$c"
    "$function" "$val" "$*"
    c=$((c + 1))
  done
}
record() { printf '%s\037' "$@" >>"$CALLS"; printf '\036' >>"$CALLS"; }
for function in open_instance close_instance set_param append_param add_jail add_jail_mount add_jail_mount_rw send_signal \
  add_reload_trigger; do
  eval "procd_$function() { record $function \"\$@\"; }"
done
logger() { record logger "$@"; }
chown() { record chown "$@"; }
start() { record start; start_service; }
