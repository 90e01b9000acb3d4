import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, DateTime, Duration, Effect, Option, Redacted, Result } from "effect"
import * as Settings from "../../src/services/Settings.ts"
import * as DatabaseAddress from "../../src/services/settings/DatabaseAddress.ts"
import { nearest } from "../../src/services/settings/nearest.ts"
import * as RedisAddress from "../../src/services/settings/RedisAddress.ts"

const given = (env: Readonly<Record<string, string>>) => ConfigProvider.layer(ConfigProvider.fromUnknown(env))
const plain = (value: unknown): unknown =>
  Duration.isDuration(value)
    ? Duration.toSeconds(value)
    : Option.isOption(value)
      ? Option.match(value, { onNone: () => null, onSome: plain })
      : Redacted.isRedacted(value)
        ? Redacted.value(value)
        : DateTime.isTimeZone(value)
          ? DateTime.zoneToString(value)
          : value
const valueOf = (name: Settings.Name, text: string) =>
  Effect.map(Settings.of(name).pipe(Effect.provide(given({ [name]: text }))), (read) => plain(read[name]))
const wrong = (name: Settings.Name, text: string) =>
  Effect.map(Settings.problems([name]).pipe(Effect.provide(given({ [name]: text }))), (found) => found.join("\n"))

describe("a setting", () => {
  const accepted: ReadonlyArray<readonly [Settings.Name, string, unknown]> = [
    ["LOG_LEVEL", "Warn", "warn"],
    ["LOG_LEVEL", "WARNING", "warn"],
    ["LOG_LEVEL", "DEBUG", "debug"],
    ["LOG_LEVEL", "INFO", "info"],
    ["LOG_LEVEL", "critical", "fatal"],
    ["LOG_LEVEL", "", "info"],
    ["LOG_FORMAT", "JSON", "json"],
    ["LOG_FORMAT", "", null],
    ...["True", "yes", "on", "1", "TRUE", " true "].map((text) => ["RESULT_EXTENDED", text, true] as const),
    ...["False", "no", "off", "0"].map((text) => ["RESULT_EXTENDED", text, false] as const),
    ["RESULT_EXPIRES", "0", 0],
    ["RESULT_EXPIRES", "2592000", 2_592_000],
    ["VISIBILITY_TIMEOUT", "31536000", 31_536_000],
    ["TASK_TIME_LIMIT", " 5 ", 5],
    ["TASK_TIME_LIMIT", "5.0", 5],
    ["TASK_TIME_LIMIT", "1e3", 1000],
    ["WORKER_CONCURRENCY", " 5 ", 5],
    ["WORKER_CONCURRENCY", "5.0", 5],
    ["WORKER_CONCURRENCY", "", 1],
    ["WORKER_AUTOSCALE", "4, 1", { max: 4, min: 1 }],
    ["WORKER_QUEUES", " a, b ,a,,", ["a", "b"]],
    ["WORKER_NAME", "generator", "generator"],
    ["WORKER_NAME", "gen@%h", "gen@%h"],
    ["FAL_BASE_URL", "http://proxy:8080/fal/", "http://proxy:8080/fal"],
    ["FAL_BASE_URL", "", null],
    ["METRICS_HOST", "[::1]", "::1"],
    ["METRICS_HOST", "::", "::"],
    ["TIMEZONE", "Europe/Berlin", "Europe/Berlin"],
    ["BROKER_FANOUT_PREFIX", "False", ""],
    ["BROKER_FANOUT_PREFIX", "/app.", "/app."],
    ["FAL_UNCERTAIN", "Fail", "fail"],
    ["REDIS_PASSWORD", " spaced ", " spaced "],
    ["FAL_KEY", " id:secret\n", "id:secret"]
  ]
  for (const [name, text, value] of accepted)
    it.effect(`${name}=${JSON.stringify(text)} is read`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* wrong(name, text), "")
        assert.deepStrictEqual(yield* valueOf(name, text), value)
      })
    )

  const refused: ReadonlyArray<readonly [Settings.Name, string, RegExp]> = [
    ["LOG_LEVEL", "verbose", /expects one of trace, debug, .*, not "verbose"/],
    ["LOG_FORMAT", "xml", /expects one of json, pretty, not "xml"/],
    ["RESULT_EXTENDED", "maybe", /expects one of .*true.*, not "maybe"/],
    ["RESULT_EXPIRES", "-1", /expects seconds.*, not "-1"/],
    ["TASK_TIME_LIMIT", "5s", /without a unit, not "5s"/],
    ["TASK_TIME_LIMIT", "0x10", /not "0x10"/],
    ["WORKER_CONCURRENCY", "many", /a whole number from 1 to 512, not "many"/],
    ["WORKER_CONCURRENCY", "1e1", /not "1e1"/],
    ["WORKER_CONCURRENCY", "0x10", /not "0x10"/],
    ["WORKER_CONCURRENCY", "513", /from 1 to 512, not "513"/],
    ["WORKER_AUTOSCALE", "513,1", /a max of 1 to 512, not "513,1"/],
    ["WORKER_QUEUES", " , ", /names of queues/],
    ["WORKER_QUEUES", "a\u0006\u0016b", /names of queues/],
    ["WORKER_QUEUES", "a,unacked", /names of queues/],
    ["WORKER_NAME", "two words", /name or name@host/],
    ["WORKER_NAME", "@host", /name or name@host/],
    ["FAL_MODEL", "flux", /a model of fal's/],
    ["FAL_BASE_URL", "http://user:hunter2@proxy", /without a user.*\*{8}@proxy/],
    ["FAL_BASE_URL", "http://proxy/?a=b", /a query/],
    ["FAL_BASE_URL", "proxy:8080", /http:\/\/ or https:\/\//],
    ["FAL_KEY", "Key id:hunter2", /begins with the word Key/],
    ["FAL_KEY", "id:hunter2 é", /key_id:key_secret/],
    ["FAL_KEY", '"id:hunter2"', /without quotes/],
    ["FAL_KEY", " ", /^FAL_KEY is not set$/],
    ["METRICS_PORT", "tcp://10.0.0.1:9101", /a whole number/],
    ["METRICS_HOST", "http://0.0.0.0", /a host or an address/],
    ["TIMEZONE", "Berlin", /a time zone's name/],
    ["CELERY_RESULT_BACKEND", "db+postgresql://u:hunter2@h/d", /redis:\/\//],
    ["DATABASE_URL", "mysql://u:hunter2@h/d", /postgresql:\/\//]
  ]
  for (const [name, text, says] of refused)
    it.effect(`${name}=${JSON.stringify(text)} is refused by name, in one line that shows no secret`, () =>
      Effect.gen(function* () {
        const said = yield* wrong(name, text)
        assert.isTrue(said.startsWith(name), said)
        assert.match(said, says)
        assert.notInclude(said, "hunter2")
        assert.notInclude(said, "\n")
        assert.strictEqual((yield* Effect.flip(valueOf(name, text))).message.includes(name), true)
      })
    )

  it.effect("that is wrong hides no other that is wrong", () =>
    Effect.gen(function* () {
      const env = { LOG_LEVEL: "loud", WORKER_CONCURRENCY: "many", CELERY_BROKER_URL: "redis://h/celery" }
      const { problems } = yield* Effect.flip(Settings.check(Settings.names).pipe(Effect.provide(given(env))))
      const named = problems.map((problem) => problem.split(" ")[0])
      assert.sameMembers(named, [...Object.keys(env), "CELERY_RESULT_BACKEND", "DATABASE_URL", "FAL_KEY"])
    })
  )
})

describe("whatever a setting says", () => {
  /** Always the same strings, made of what URLs, numbers and lists are made of, and of what nobody expects. */
  const pieces =
    "redis:// rediss:// sentinel:// redis+socket:// postgresql:// postgresql+x:// http:// key : @ / ? # [ ] [::1] % %4 %40 ; , 0 1 -1 9e9 . host hunter2 ? & = ssl_cert_reqs=none sslmode=require \n \0 é \ud800 🙂"
  let state = 7
  const next = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
  const all = pieces.split(" ")
  const text = () => Array.from({ length: 1 + next(9) }, () => all[next(all.length)]).join("")

  for (const name of Settings.names)
    it.effect(`${name} is read or refused in one line, and never ends in a defect`, () =>
      Effect.gen(function* () {
        for (let times = 0; times < 150; times++) {
          const given = text()
          const said = yield* wrong(name, given)
          const read = yield* Effect.result(valueOf(name, given))
          assert.strictEqual(read._tag === "Success", said === "", `${name}=${JSON.stringify(given)}: ${said}`)
          if (said !== "") assert.match(said, new RegExp(`^${name} [^\\n]+$`))
        }
      })
    )
})

/** What stock Celery 5.3.6 and 5.6 make of each, found out with them; `undefined` where they refuse it, or read it two ways. */
describe("a Redis URL is read as Celery reads it, or refused", () => {
  const server = (host: string, port = 6379) => ({ _tag: "Server" as const, node: { host, port } })
  const address = (over: Partial<RedisAddress.RedisAddress>): RedisAddress.RedisAddress => ({
    at: server("h"),
    username: undefined,
    password: undefined,
    db: 0,
    tls: undefined,
    ...over
  })
  const sentinels = (...nodes: ReadonlyArray<readonly [string, number]>) => ({
    _tag: "Sentinels" as const,
    nodes: nodes.map(([host, port]) => ({ host, port }))
  })
  const tls = { verify: true, checkHostname: true, files: {} }
  const read: Readonly<Record<string, RedisAddress.RedisAddress>> = {
    "redis://h/4": address({ db: 4 }),
    "redis://h": address({}),
    "redis://h/": address({}),
    "redis://h//4": address({ db: 4 }),
    "redis://h/04": address({ db: 4 }),
    "REDIS://h:6380/4": address({ at: server("h", 6380), db: 4 }),
    "redis:///4": address({ at: server("127.0.0.1"), db: 4 }),
    "redis://[::1]:6379/4": address({ at: server("::1"), db: 4 }),
    "redis://:p%41@h/4": address({ password: "pA", db: 4 }),
    "redis://:p%zz@h/4": address({ password: "p%zz", db: 4 }),
    "redis://:100%@h/4": address({ password: "100%", db: 4 }),
    "redis://:a@b@h/4": address({ password: "a@b", db: 4 }),
    "redis://u:a:b@h/4": address({ username: "u", password: "a:b", db: 4 }),
    "redis+socket:///run/redis.sock?virtual_host=4": address({ at: { _tag: "Socket", path: "/run/redis.sock" }, db: 4 }),
    "redis+socket://:pw@/run/redis.sock": address({ at: { _tag: "Socket", path: "/run/redis.sock" }, password: "pw" }),
    "unix:///run/redis.sock?db=4": address({ at: { _tag: "Socket", path: "/run/redis.sock" }, db: 4 }),
    "unix://u:pw@/run/redis.sock": address({
      at: { _tag: "Socket", path: "/run/redis.sock" },
      username: "u",
      password: "pw"
    }),
    "rediss://h/4": address({ db: 4, tls }),
    "rediss://h/4?ssl_cert_reqs=none": address({ db: 4, tls: { ...tls, verify: false } }),
    "rediss://h/4?ssl_cert_reqs=CERT_OPTIONAL": address({ db: 4, tls }),
    "rediss://h/4?ssl_cert_reqs=required&ssl_check_hostname=false&ssl_ca_certs=/ca.pem": address({
      db: 4,
      tls: { verify: true, checkHostname: false, files: { ssl_ca_certs: "/ca.pem" } }
    }),
    "sentinel://h1/4": address({ at: sentinels(["h1", 26_379]), db: 4 }),
    "sentinel://h1:1/4;sentinel://h2:2/4;": address({ at: sentinels(["h1", 1], ["h2", 2]), db: 4 }),
    "sentinel://:p@h1:1/4;sentinel://h2": address({ at: sentinels(["h1", 1], ["h2", 26_379]), password: "p", db: 4 }),
    "sentinel://h1:1/4;h2:2": address({ at: sentinels(["h1", 1], ["h2", 2]), db: 4 }),
    "sentinel://h1:26379,h2:26380/4": address({ at: sentinels(["h1", 26_379], ["h2", 26_380]), db: 4 })
  }
  for (const [url, expected] of Object.entries(read))
    it(url, () => assert.deepStrictEqual(Result.getOrThrow(RedisAddress.parse(url)), expected))

  const refused: Readonly<Record<string, RegExp>> = {
    "redis://h/celery": /names the database "celery"/,
    "redis://h/4/": /names the database "4\/"/,
    "redis://h/-1": /names the database "-1"/,
    "redis://h/4.0": /names the database "4.0"/,
    "redis://:a/b@h/4": /%2F/,
    "redis://:12/b@h/4": /%2F/,
    "redis://:12/hunter2h/4": /%2F(?!.*hunter2)/,
    "redis://:a#b@h/4": /%23/,
    "redis://:12#b@h/4": /%23/,
    "redis://:a?b@h/4": /%3F/,
    "redis://::1/4": /\[::1\]/,
    "redis://h:99999/4": /a port/,
    "redis://h?virtual_host=3": /after the host/,
    "redis://h/4?db=3": /after the host/,
    "redis://h1/4;redis://h2/4": /several servers/,
    "redis://h/4?ssl_cert_reqs=required": /rediss:\/\//,
    "rediss://h/4?ssl_cert_reqs=NONE": /ssl_cert_reqs=NONE/,
    "rediss://h/4?ssl_ca_data=x": /ssl_ca_data/,
    "sentinel://h1/3;sentinel://h2/4": /more than one database/,
    "sentinel://h1;sentinel://h2/4": /more than one database/,
    "sentinel://h1/4;redis://h2/4": /mixes/,
    "unix:///run/redis.sock?virtual_host=4": /\?db=/,
    "unix://h/run/redis.sock": /unix:\/\/\//,
    "redis+socket:///run/redis.sock?db=4": /\?virtual_host=/,
    "redis+socket://h/run/redis.sock": /redis\+socket:/,
    "redis+unix:///run/redis.sock": /redis\+socket:/,
    "amqp://h": /redis:\/\//,
    "h:6379/4": /redis:\/\//
  }
  for (const [url, says] of Object.entries(refused))
    it(`${url} is refused`, () => assert.match(Result.getOrThrow(Result.flip(RedisAddress.parse(url))), says))

  it("an @ in a password that is not escaped is read, and doubted aloud", () => {
    assert.match(RedisAddress.doubts("redis://:a@b@h/4").join(), /%40/)
    assert.deepStrictEqual(RedisAddress.doubts("redis://:a%40b@h/4"), [])
    assert.match(RedisAddress.doubts("redis://h/4?socket_timeout=5").join(), /socket_timeout/)
  })
})

describe("a PostgreSQL URL is read as libpq reads it, or refused", () => {
  const address = (over: Partial<DatabaseAddress.DatabaseAddress> = {}): DatabaseAddress.DatabaseAddress => ({
    host: "h",
    port: 5432,
    username: "u",
    password: "p",
    database: "d",
    tls: undefined,
    ...over
  })
  const tls = (check: DatabaseAddress.DatabaseTls["check"], files = {}) => ({ tls: { check, files } })
  const read: Readonly<Record<string, DatabaseAddress.DatabaseAddress>> = {
    "postgresql://u:p@h/d": address(),
    "postgres://u:p@h:6432/d": address({ port: 6432 }),
    "postgresql+psycopg2://u:p@h/d": address(),
    "postgresql+asyncpg://u:p@h/d?client_encoding=utf8": address(),
    "postgresql+asyncpg://u:p@h/d?ssl=require": address(tls("encrypt")),
    "postgresql+psycopg2://u:a/b?c#d@h/d": address({ password: "a/b?c#d" }),
    "postgresql+psycopg2:///d?user=u&password=p&host=h": address(),
    "postgresql://u:p@[::1]:6432/d": address({ host: "::1", port: 6432 }),
    "postgresql://u:a%40b@h/d": address({ password: "a@b" }),
    "postgresql://u:100%@h/d": address({ password: "100%" }),
    "postgresql://u:a#b?c@h/d": address({ password: "a#b?c" }),
    "postgresql://u:p@/d?host=/run/postgresql": address({ host: "/run/postgresql" }),
    "postgresql://u:p@%2Frun%2Fpostgresql/d": address({ host: "/run/postgresql" }),
    "postgresql://h/d?user=u&password=p": address(),
    "postgresql://u:p@h/d?sslmode=disable": address(),
    "postgresql://u:p@h/d?sslmode=prefer": address(tls("prefer")),
    "postgresql://u:p@h/d?sslmode=require": address(tls("encrypt")),
    "postgresql://u:p@h/d?sslmode=require&sslrootcert=/ca.pem": address(tls("chain", { sslrootcert: "/ca.pem" })),
    "postgresql://u:p@h/d?sslmode=verify-ca&sslrootcert=/ca.pem": address(tls("chain", { sslrootcert: "/ca.pem" })),
    "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=/ca.pem": address(tls("chain and name", { sslrootcert: "/ca.pem" })),
    "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=system": address(tls("chain and name"))
  }
  for (const [url, expected] of Object.entries(read))
    it(url, () => assert.deepStrictEqual(Result.getOrThrow(DatabaseAddress.parse(url)), expected))

  const refused: Readonly<Record<string, RegExp>> = {
    "postgresql://u:a@b@h/d": /%40/,
    "postgresql://u:a/b@h/d": /%2F/,
    "postgresql+psycopg2://u:a@b@h/d": /%40/,
    "postgresql+asyncpg://u:p@h/d?ssl=true": /ssl=true/,
    "postgresql://u:12/b@h/d": /%2F/,
    "postgresql://u:p@h:port/d": /a port/,
    "postgresql://u:p@h1,h2/d": /several hosts/,
    "postgresql://u:p@h/d?sslmode=on": /sslmode=on/,
    "postgresql://u:p@h/d?sslrootcert=/ca.pem": /sslmode=verify-full/,
    "mysql://u:p@h/d": /postgresql:\/\//
  }
  for (const [url, says] of Object.entries(refused))
    it(`${url} is refused`, () => assert.match(Result.getOrThrow(Result.flip(DatabaseAddress.parse(url))), says))

  it("a character in a password that is not escaped, and a parameter that nobody reads, are doubted aloud", () => {
    assert.match(DatabaseAddress.doubts("postgresql+psycopg2://u:a/b@h/d").join(), /%2F/)
    assert.match(DatabaseAddress.doubts("postgresql://u:a#b@h/d").join(), /%23/)
    assert.match(DatabaseAddress.doubts("postgresql://u:p@h/d?connect_timeout=5").join(), /connect_timeout/)
    assert.deepStrictEqual(DatabaseAddress.doubts("postgresql+psycopg2://u:a%2Fb@h/d?sslmode=require"), [])
  })
})

describe("a name that is no setting", () => {
  const meant: Readonly<Record<string, Settings.Name>> = {
    WORKER_CONCURENCY: "WORKER_CONCURRENCY",
    WORKER_CONCURRENCYS: "WORKER_CONCURRENCY",
    CELERY_BROKER_ULR: "CELERY_BROKER_URL",
    CELERY_TASK_TIME_LIMIT: "TASK_TIME_LIMIT",
    CELERYD_TASK_TIME_LIMIT: "TASK_TIME_LIMIT",
    CELERYD_CONCURRENCY: "WORKER_CONCURRENCY",
    CELERYD_PREFETCH_MULTIPLIER: "WORKER_PREFETCH_MULTIPLIER",
    CELERY_LOG_LEVEL: "LOG_LEVEL",
    BROKER_URL: "CELERY_BROKER_URL",
    RESULT_BACKEND: "CELERY_RESULT_BACKEND",
    REDIS_PASWORD: "REDIS_PASSWORD",
    LOG_LEVELS: "LOG_LEVEL",
    log_level: "LOG_LEVEL",
    DATABASE_URI: "DATABASE_URL",
    WORKER_MAX_TASKS: "WORKER_MAX_TASKS_PER_CHILD"
  }
  for (const [name, setting] of Object.entries(meant))
    it(`${name} is answered with ${setting}`, () => assert.strictEqual(nearest(name, Settings.names), setting))

  const foreign =
    "PATH HOME LANG REDIS_HOST REDIS_PORT DATABASE_HOST LOG_DIR CELERY_APP NODE_ENV PORT WORKER_SERVICE_HOST WORKER_PORT_9101_TCP " +
    "METRICS_SERVICE_PORT_HTTP WORKER_NAME HOSTNAME FALLBACK"
  for (const name of foreign.split(" ")) it(`${name} is left alone`, () => assert.isUndefined(nearest(name, Settings.names)))
})
