-- wrk with one thread for each client, which reports each client and the latencies of reads and writes.
-- Arguments: WRITES FIRST LAST BODY. Of 100 requests, WRITES create an item with BODY; the others read one of the items
-- FIRST to LAST.

local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds; long nanoseconds; } timespec; int clock_gettime(int, timespec *);")
local time = ffi.new("timespec")
local threads = {}
local reads, create = {}, nil
local began, writes, writing

local function now()  -- microseconds of the monotonic clock
   ffi.C.clock_gettime(1, time)
   return tonumber(time.seconds) * 1e6 + tonumber(time.nanoseconds) / 1e3
end

function setup(thread)
   table.insert(threads, thread)
   thread:set("number", #threads)
end

function init(args)
   math.randomseed(number)
   writes = tonumber(args[1])
   for i = 1, 200 do
      reads[i] = wrk.format("GET", string.format("/items/%d", math.random(tonumber(args[2]), tonumber(args[3]))))
   end
   create = wrk.format("POST", "/items", {["Content-Type"] = "application/json"}, args[4])
   read_times, write_times = {}, {}
end

function request()
   writing = math.random(100) <= writes
   began = now()
   return writing and create or reads[math.random(#reads)]
end

function response()
   local times = writing and write_times or read_times
   times[#times + 1] = now() - began
end

local function percentiles(times)
   table.sort(times)
   local function at(share)
      return times[math.max(1, math.ceil(#times * share))] or 0
   end
   return string.format('{"count": %d, "p50": %d, "p99": %d}', #times, at(0.5), at(0.99))
end

function done(summary)
   local all = {read_times = {}, write_times = {}}
   local counts = {}
   for i, thread in ipairs(threads) do
      counts[i] = 0
      for name, times in pairs(all) do
         for _, took in ipairs(thread:get(name)) do
            times[#times + 1] = took
            counts[i] = counts[i] + 1
         end
      end
   end
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "microseconds": %d, "reads": %s, "writes": %s, "clients": [%s], "failed": %d}\n',
      summary.requests, summary.duration, percentiles(all.read_times), percentiles(all.write_times),
      table.concat(counts, ", "),
      errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
