import * as kombu from "../../../../wire/kombu.ts"
import { library } from "../script.ts"
import { clock } from "./clock.ts"

/**
 * A fleet's budget: a hash for each day and month says what is spent and reserved, and `reserved` has the price of each request
 * whose outcome is not known yet. Amounts are nano-dollars, whole numbers below 2^53.
 */
export const budgetKeys = {
  reserved: kombu.budgetReserved,
  overrides: kombu.budgetOverrides,
  periods: kombu.budgetPeriods,
  /** What the key of each day and month begins with. */
  spending: kombu.budget("")
} as const

/** What a write says of money; see `Money` in layers/journal/money.ts. */
export const budgetArguments = {
  /** Names the generation whose price is reserved. */
  attempt: "text",
  /** The most it can cost; 0 where that is not known. */
  price: "number",
  /** JSON of the caps that count for it, of the periods around this instant, and of when to warn; "" where nothing is reserved. */
  money: "text",
  /** The generation whose outcome is known. */
  settles: "text?",
  /** What that has cost; undefined for what was reserved. */
  cost: "number?"
} as const

/**
 * settle(only, cost): this task's request has cost `cost`, or what was reserved for it where that is nil. With `only`, where the
 * reservation is that generation's. The difference goes back to the days and months in which it was reserved.
 */
export const settling = library({
  needs: ["reserved", "task"],
  lua: `
local function whole(number) return string.format('%.0f', number) end
local function settle(only, cost)
  local raw = redis.call('HGET', reserved, task)
  if not raw then return end
  local reservation = cjson.decode(raw)
  if only and reservation.attempt ~= only then return end
  redis.call('HDEL', reserved, task)
  if not cost then return end
  for _, place in ipairs(reservation.places) do
    redis.call('HINCRBY', place[1], place[2], whole(cost - tonumber(reservation.price)))
  end
end`
})

/**
 * is_reserved(): whether the price of this generation is. over_budget(t): the answer to a request that a budget refuses, nil if
 * none does. reserve(t): counts its price, and returns the limits that are nearly used up and that nobody was told of.
 */
export const reserving = library({
  needs: ["reserved", "overrides", "periods", "spending", "task", "attempt", "price", "money"],
  uses: [clock, settling],
  lua: `
local budget = money ~= '' and cjson.decode(money)
local function period_at(span, t)
  for _, period in ipairs(budget.around[span]) do if t < period.ends then return period end end
end
local function counter_of(cap, period) return spending .. cap.span .. ':' .. period.label end
local function limit_of(cap, t)
  local limit, till = string.match(redis.call('HGET', overrides, cap.span .. ' ' .. cap.subject) or '', '^(%d+) (%d+)$')
  if limit and tonumber(till) > t then return tonumber(limit) end
  return tonumber(cap.limit)
end
-- A person is told once of each limit, and again when it is raised.
local function is_first(counter, cap, limit, what)
  return redis.call('HSETNX', counter, 'told ' .. what .. ' ' .. cap.subject .. ' ' .. whole(limit), 1)
end
local function is_reserved()
  local raw = redis.call('HGET', reserved, task)
  return raw and cjson.decode(raw).attempt == attempt
end
local function over_budget(t)
  if price == 0 then return end
  for _, cap in ipairs(budget.caps) do
    local period = period_at(cap.span, t)
    if not period then return { _tag = 'no period', now = decimal(t) } end
    local limit = limit_of(cap, t)
    local counter = counter_of(cap, period)
    local used = tonumber(redis.call('HGET', counter, cap.subject)) or 0
    if limit and used + price > limit then
      local first = is_first(counter, cap, limit, 'refused')
      return {
        _tag = 'over', span = cap.span, subject = cap.subject, ends = whole(period.ends), limit = whole(limit), used = whole(used),
        first = first == 1
      }
    end
  end
end
local function reserve(t)
  local told, places = {}, {}
  if price == 0 then return told end
  for _, cap in ipairs(budget.caps) do
    local period = period_at(cap.span, t)
    if period then
      local counter = counter_of(cap, period)
      local used = redis.call('HINCRBY', counter, cap.subject, whole(price))
      redis.call('ZADD', periods, period.ends, cap.span .. ':' .. period.label)
      places[#places + 1] = { counter, cap.subject }
      local limit = limit_of(cap, t)
      if limit and used >= budget.alert * limit and is_first(counter, cap, limit, 'alert') == 1 then
        told[#told + 1] =
          { span = cap.span, subject = cap.subject, period = period.label, limit = whole(limit), used = whole(used) }
      end
    end
  end
  redis.call('HSET', reserved, task, cjson.encode({ attempt = attempt, price = whole(price), places = places }))
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', periods, '-inf', t - 400 * 86400, 'LIMIT', 0, 10)) do
    redis.call('DEL', spending .. old)
    redis.call('ZREM', periods, old)
  end
  return told
end`
})
