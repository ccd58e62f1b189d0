# Completion of gproxy for bash.
_gproxy() {
  local cur prev words cword
  _init_completion -n = 2>/dev/null || {
    cur=${COMP_WORDS[COMP_CWORD]}
    prev=${COMP_WORDS[COMP_CWORD - 1]}
    words=("${COMP_WORDS[@]}")
    cword=$COMP_CWORD
  }
  local options="--dsn --host --port --admin-key --proxy --event-redact-sensitive --modules-dir --config --workers
    --master-key-file --log-level --log-format --no-print-admin-key --prune --json --help --version"

  case $prev in
    --config | --master-key-file)
      COMPREPLY=($(compgen -f -- "$cur"))
      return
      ;;
    --modules-dir)
      COMPREPLY=($(compgen -d -- "$cur"))
      return
      ;;
    --log-level)
      COMPREPLY=($(compgen -W "trace debug info warn error off" -- "$cur"))
      return
      ;;
    --log-format)
      COMPREPLY=($(compgen -W "text json" -- "$cur"))
      return
      ;;
    --event-redact-sensitive)
      COMPREPLY=($(compgen -W "true false" -- "$cur"))
      return
      ;;
    --dsn | --host | --port | --admin-key | --proxy | --workers)
      return
      ;;
    module)
      COMPREPLY=($(compgen -W "inspect" -- "$cur"))
      return
      ;;
    inspect)
      COMPREPLY=($(compgen -f -- "$cur"))
      return
      ;;
  esac

  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
  elif [[ $cword -eq 1 ]]; then
    COMPREPLY=($(compgen -W "serve check module translate health help version" -- "$cur"))
  fi
}
complete -o filenames -F _gproxy gproxy
