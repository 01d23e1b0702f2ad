-- What wrk sends and reports. Arguments: METHOD PATH FIRST LAST BODY [NAME VALUE]...
-- "{id}" in PATH is a number from FIRST to LAST, another in each request. An empty BODY is none.

local requests = {}
local sent = 0

function init(args)
   local method, path, first, last, body = args[1], args[2], tonumber(args[3]), tonumber(args[4]), args[5]
   local headers = {}
   for i = 6, #args, 2 do
      headers[args[i]] = args[i + 1]
   end
   for i = 1, 1000 do
      local id = string.format("%d", math.random(first, last))
      requests[i] = wrk.format(method, path:gsub("{id}", id), headers, body ~= "" and body or nil)
   end
end

function request()
   sent = sent % #requests + 1
   return requests[sent]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "refused": %d, "failed": %d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
