import { Effect, Schema } from "effect"
import type { Redis } from "ioredis"
import * as Service from "../../services/Endpoints.ts"
import { script } from "./connect.ts"
import * as kombu from "./kombu.ts"
import { now } from "./scripts.ts"

/** An entry that is not as we write it is none. `till` is the server's time in seconds, `pause` what it was closed for. */
const read = `${now}
local function read(raw)
  local good, entry = pcall(cjson.decode, raw or '')
  if good and type(entry) == 'table' and type(entry.till) == 'number' and type(entry.pause) == 'number' then return entry end
end`

/** KEYS the endpoints, the circuit as Effect's store keeps it. ARGV endpoint. */
const isClear = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end
local circuit = redis.call('HMGET', KEYS[2], 'state', 'streak')
if not circuit[1] then return 1 end
return circuit[1] == 'Closed' and (circuit[2] or '0') == '0' and 1 or 0`

/** KEYS the endpoints. ARGV endpoint, how long a trial lasts, how long a closure is remembered. Returns 'open', 'trial' or the entry and what is left of it. */
const admit = `${read}
local t, entry = now(), read(redis.call('HGET', KEYS[1], ARGV[1]))
if not entry then return { 'open' } end
if entry.till > t then return { 'closed', cjson.encode(entry), text(entry.till - t) } end
if entry.till + tonumber(ARGV[3]) < t then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return { 'open' }
end
entry.till = t + tonumber(ARGV[2]) entry.trial = true
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(entry))
return { 'trial' }`

/**
 * KEYS the endpoints. ARGV endpoint, reason, why, for how long ('' for growing pauses), the first and the longest pause, how long a
 * closure is remembered. Returns the entry that counts and what is left of it.
 */
const close = `${read}
local t, last = now(), read(redis.call('HGET', KEYS[1], ARGV[1]))
if last and last.till + tonumber(ARGV[7]) < t then last = nil end
local pause = tonumber(ARGV[4])
if not pause then
  pause = tonumber(ARGV[5])
  if last and last.reason == 'refused' then pause = math.min(last.pause * 2, tonumber(ARGV[6])) end
end
local entry = { reason = ARGV[2], why = ARGV[3], till = t + pause, pause = pause, trial = false }
if last and not last.trial and last.till > t and (last.reason == 'refused' or last.till >= entry.till) then entry = last end
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(entry))
return { cjson.encode(entry), text(entry.till - t) }`

/** KEYS the endpoints. ARGV endpoint. */
const untried = `${read}
local entry = read(redis.call('HGET', KEYS[1], ARGV[1]))
if not entry or not entry.trial then return 0 end
entry.till = now()
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(entry))
return 1`

/** KEYS the endpoints. ARGV how long a closure is remembered. Returns triples: endpoint, entry, what is left of it. */
const closed = `${read}
local t, out, all = now(), {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local entry = read(all[i + 1])
  if entry and entry.till + tonumber(ARGV[1]) >= t then
    out[#out + 1] = all[i] out[#out + 1] = cjson.encode(entry) out[#out + 1] = text(math.max(0, entry.till - t))
  end
end
return out`

const Entry = Schema.fromJsonString(Schema.Struct({ reason: Service.Reason, why: Schema.String }))
const entryOf = Schema.decodeSync(Entry)

/** What a fleet knows of fal's endpoints, in one hash of the broker's Redis. */
export const make = (redis: Redis) => {
  const keys = [kombu.endpoints]
  const run = {
    isClear: script(redis, "mgEndpointIsClear", isClear),
    admit: script(redis, "mgEndpointAdmit", admit),
    close: script(redis, "mgEndpointClose", close),
    untried: script(redis, "mgEndpointUntried", untried),
    closed: script(redis, "mgEndpointsClosed", closed)
  }
  const attempt = <A>(operation: string, call: () => Promise<A>) =>
    Effect.tryPromise({ try: call, catch: (cause) => new Service.EndpointsError({ operation, cause }) })
  const told = (endpoint: string, entry: string, left: string): Service.Closed => ({
    endpoint,
    ...entryOf(entry),
    seconds: Number(left)
  })
  const closing = (endpoint: string, reason: Service.Reason, why: string, seconds: number | "") =>
    attempt(reason, async () => {
      const words = why.slice(0, Service.LONGEST_WHY)
      const args = [endpoint, reason, words, seconds, Service.FIRST, Service.LONGEST, Service.FORGET]
      const [entry, left] = (await run.close(keys, args)) as [string, string] // what the script returns
      return told(endpoint, entry, left)
    })

  return Service.Endpoints.of({
    isClear: (endpoint) =>
      Effect.map(
        attempt("isClear", () => run.isClear([kombu.endpoints, kombu.circuit(Service.CIRCUIT)], [endpoint])),
        (answer) => answer === 1
      ),
    admit: (endpoint) =>
      attempt("admit", async (): Promise<Service.Admission> => {
        const reply = await run.admit(keys, [endpoint, Service.TRIAL, Service.FORGET])
        const [answer, entry, left] = reply as ["open"] | ["trial"] | ["closed", string, string] // what the script returns
        if (answer === "closed") return { _tag: "Closed", ...told(endpoint, entry!, left!) } // they come with it
        return { _tag: answer === "open" ? "Open" : "Trial" }
      }),
    refused: (endpoint, why) => closing(endpoint, "refused", why, ""),
    busy: (endpoint, why, seconds) => closing(endpoint, "busy", why, Math.min(Math.max(seconds, 0), Service.LONGEST)),
    untried: (endpoint) => Effect.asVoid(attempt("untried", () => run.untried(keys, [endpoint]))),
    opened: (endpoint) => Effect.asVoid(attempt("opened", () => redis.hdel(kombu.endpoints, endpoint))),
    closed: attempt("closed", async () => {
      const all = (await run.closed(keys, [Service.FORGET])) as ReadonlyArray<string> // what the script returns
      return all.flatMap((endpoint, at) => (at % 3 === 0 ? [told(endpoint, all[at + 1]!, all[at + 2]!)] : []))
    })
  })
}
