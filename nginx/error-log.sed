# Makes JSON of nginx's error log, with the same names as in the other logs. `run` starts it.

# Texts of clients cannot forge a line, break the JSON or control a terminal.
s/[^ -~]/?/g
s/\\/\\\\/g
s/"/\\"/g

# A pipe takes up to 4096 bytes as a whole.
s/^(.{3000}).+/\1.../

# The container's time zone is UTC.
s/^(....).(..).(..) (........) \[([a-z]+)\] (.*)/{"time":"\1-\2-\3T\4.000+00:00","level":"\5","logger":"nginx","request_id":null,"message":"\6"}/

# The names of the levels in the service's log.
s/"level":"notice"/"level":"info"/
s/"level":"warn"/"level":"warning"/
s/"level":"(crit|alert|emerg)"/"level":"critical"/
