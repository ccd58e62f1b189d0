# Completion of gproxy for fish.
complete -c gproxy -f

set -l commands serve check module translate health help version
complete -c gproxy -n "not __fish_seen_subcommand_from $commands" -a serve -d 'Serve (the default)'
complete -c gproxy -n "not __fish_seen_subcommand_from $commands" -a check -d 'Check configuration and modules'
complete -c gproxy -n "not __fish_seen_subcommand_from $commands" -a module -d 'What a module file offers'
complete -c gproxy -n "not __fish_seen_subcommand_from $commands" -a translate -d 'Translate standard input'
complete -c gproxy -n "not __fish_seen_subcommand_from $commands" -a health -d 'Ask a running gproxy for its health'
complete -c gproxy -n "not __fish_seen_subcommand_from $commands" -a help -d 'A summary'
complete -c gproxy -n "not __fish_seen_subcommand_from $commands" -a version -d 'Versions'
complete -c gproxy -n '__fish_seen_subcommand_from module; and not __fish_seen_subcommand_from inspect' -a inspect
complete -c gproxy -n '__fish_seen_subcommand_from inspect' -F

complete -c gproxy -l dsn -x -d 'Database'
complete -c gproxy -l host -x -d 'Address to listen on'
complete -c gproxy -l port -x -d 'Port to listen on'
complete -c gproxy -l admin-key -x -d 'Key of the admin API'
complete -c gproxy -l proxy -x -d 'Proxy for all upstream requests'
complete -c gproxy -l event-redact-sensitive -x -a 'true false' -d 'Keep bodies and secrets out of events'
complete -c gproxy -l modules-dir -x -a '(__fish_complete_directories)' -d 'One more folder of modules'
complete -c gproxy -l config -r -F -d 'Declarative configuration'
complete -c gproxy -l workers -x -d 'Event loops'
complete -c gproxy -l master-key-file -r -F -d 'Key that seals secrets'
complete -c gproxy -l log-level -x -a 'trace debug info warn error off' -d 'Least level of log lines'
complete -c gproxy -l log-format -x -a 'text json' -d 'Form of log lines'
complete -c gproxy -l no-print-admin-key -d 'Do not print the admin key'
complete -c gproxy -l prune -d 'Delete what the file no longer declares'
complete -c gproxy -l json -d 'Sub-commands: print JSON'
complete -c gproxy -s h -l help -d 'A summary'
complete -c gproxy -s V -l version -d 'Versions'
