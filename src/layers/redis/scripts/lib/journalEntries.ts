import { states } from "../../../../services/Journal.ts"
import * as kombu from "../../../../wire/kombu.ts"
import { given, library } from "../script.ts"
import { budgetArguments, budgetKeys, reserving } from "./reservations.ts"
import { clock } from "./clock.ts"
import { remember } from "./remember.ts"

/**
 * Where a task's entry in the journal is kept, and where it is counted. `open` has the requests in flight, scored with the time
 * until which they count; the indexes have the entries by state, scored with the time until which an entry is kept.
 */
export const journalKeys = {
  entry: given,
  kept: kombu.journalKept,
  open: kombu.inFlight,
  intended: kombu.journalState(states[0]),
  submitted: kombu.journalState(states[1]),
  generated: kombu.journalState(states[2]),
  lives: kombu.lives,
  ...budgetKeys
} as const

/**
 * sweep(prefix, most): removes entries whose time is over. An entry has no time to live of its own, as a server that evicts what
 * has one would take it first: `kept` says until when it is kept, and each script that writes removes some that are over.
 */
export const sweeping = library({
  needs: ["kept", "open", "intended", "submitted", "generated", "reserved"],
  uses: [clock],
  lua: `
local indexes = { intended, submitted, generated }
local function sweep(prefix, most)
  local over = redis.call('ZRANGEBYSCORE', kept, '-inf', decimal(now()), 'LIMIT', 0, most)
  for _, old in ipairs(over) do
    redis.call('DEL', prefix .. old)
    redis.call('ZREM', kept, old)
    redis.call('ZREM', open, old)
    redis.call('HDEL', reserved, old)
  end
  for _, index in ipairs(indexes) do redis.call('ZREMRANGEBYSCORE', index, '-inf', math.floor(now())) end
end`
})

/** What a write says of an entry; see `Write` in layers/journal/entries.ts. */
export const writeArguments = {
  task: "text",
  /** sha1 of the text that must be there, "" for none. */
  expected: "text",
  /** Undefined removes the entry. */
  text: "text?",
  /** Seconds for which the entry is kept. */
  keep: "number",
  /** Seconds for which its request counts as in flight; 0 when it has ended. */
  count: "number",
  /** Which index it goes to, from 1; 0 for none. */
  state: "number",
  ...budgetArguments,
  /** What the write adds to the task's life, if it does. */
  told: "text?"
} as const

/**
 * is_expected(): whether the text that must be there is. write(): writes the entry, counts it, settles what it has cost, and tells
 * of it.
 */
export const writing = library({
  needs: [
    "entry",
    "kept",
    "open",
    "intended",
    "submitted",
    "generated",
    "lives",
    "reserved",
    "overrides",
    "periods",
    "spending",
    "task",
    "expected",
    "text",
    "keep",
    "count",
    "state",
    "attempt",
    "price",
    "money",
    "settles",
    "cost",
    "told"
  ],
  uses: [sweeping, reserving, remember],
  lua: `
local function is_expected()
  local stored = redis.call('GET', entry)
  return (stored and redis.sha1hex(stored) or '') == expected
end
local function write()
  -- The store has lost the entry, and with it what was reserved.
  if text and expected == '' and price > 0 and redis.call('HEXISTS', reserved, task) == 0 then reserve(now()) end
  if settles then settle(settles, cost) end
  -- What this entry takes the place of may have been paid.
  if text and not is_reserved() then settle(nil, nil) end
  if text then
    redis.call('SET', entry, text)
    redis.call('ZADD', kept, decimal(now() + keep), task)
  else
    redis.call('DEL', entry)
    redis.call('ZREM', kept, task)
  end
  if count == 0 then redis.call('ZREM', open, task) else redis.call('ZADD', open, decimal(now() + count), task) end
  for at, index in ipairs(indexes) do
    if at == state then redis.call('ZADD', index, math.floor(now()) + keep, task) else redis.call('ZREM', index, task) end
  end
  sweep(string.sub(entry, 1, #entry - #task), 10)
  tell(task, told)
end`
})
