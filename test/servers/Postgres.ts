/** A PostgreSQL cluster of our own, and PgBouncer in front of it as in production: transaction mode, SCRAM, a small pool. */
import { execFile, spawnSync } from "node:child_process"
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { freePort, pathOf, type Server, start as startProcess, temporaryFolder, unprivileged, which } from "./Process.ts"

const run = promisify(execFile)
const role = { user: "worker", password: "not-a-secret" }

export interface PostgresAddress {
  readonly host: string
  readonly user: string
  readonly password: string
  readonly port: number
  /** PgBouncer's. Any database of the cluster can be reached through it. */
  readonly pooledPort: number
}

export interface PostgresServer extends PostgresAddress {
  /** Stop it by "INT" or "TERM": after "KILL" its orphans may still hold what a new start needs. */
  readonly postgres: Server
  readonly pgbouncer: Server
  readonly remove: () => Promise<void>
}

export const missing = () => {
  const absent = ["postgres", "initdb", "pgbouncer"].filter((program) => which(program) === undefined)
  if (absent.length > 0) return `${absent.join(", ")} not installed`
  if (process.getuid?.() === 0 && unprivileged() === undefined) return "no user but root to run PostgreSQL as"
  return undefined
}

/** initdb takes seconds, a copy does not: the fresh cluster is kept under `cache`, one for each PostgreSQL version. */
const makeCluster = async (folder: string, cache: string) => {
  const as = unprivileged()
  const data = join(folder, "data")
  const version = spawnSync(pathOf("postgres"), ["--version"], { encoding: "utf8" })
    .stdout.replace(/[^\d.]+/g, " ")
    .trim()
    .split(" ")[0]
  const template = join(cache, `postgres-${version}`)
  if (existsSync(template)) {
    await run("cp", ["-a", template, data])
    if (as !== undefined) await run("chown", ["-R", `${as.uid}:${as.gid}`, data])
    return data
  }
  const trust = ["-A", "scram-sha-256", "--pwfile", join(folder, "password")]
  writeFileSync(join(folder, "password"), `${role.password}\n`, { mode: 0o644 })
  await run(pathOf("initdb"), ["-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", ...trust], {
    ...as,
    cwd: folder
  })
  // No superuser for the tests: production's worker is none either.
  const created = spawnSync(pathOf("postgres"), ["--single", "-D", data, "postgres"], {
    ...as,
    cwd: folder,
    input: `CREATE ROLE ${role.user} LOGIN CREATEDB PASSWORD '${role.password}'\n`,
    encoding: "utf8"
  })
  if (created.status !== 0) throw new Error(`the role could not be created: ${created.stderr}`)
  const draft = `${template}.${process.pid}`
  mkdirSync(dirname(template), { recursive: true })
  await run("cp", ["-a", data, draft])
  try {
    renameSync(draft, template)
  } catch {
    rmSync(draft, { recursive: true }) // another run was first
  }
  return data
}

/** More clients PgBouncer turns away. */
export const MAX_CLIENTS = 500

const startPgBouncer = (port: number, target: number) => {
  const as = unprivileged()
  const folder = temporaryFolder("pgbouncer", as)
  const write = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    if (as !== undefined) chownSync(path, as.uid, as.gid)
    return path
  }
  const users = write("users.txt", `"${role.user}" "${role.password}"\n`)
  const settings = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: "",
    pool_mode: "transaction",
    auth_type: "scram-sha-256",
    auth_file: users,
    default_pool_size: 5,
    max_client_conn: MAX_CLIENTS,
    server_login_retry: 1 // with the default, 15 s, clients wait long after PostgreSQL is back
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  const ini = write("pgbouncer.ini", `[databases]\n* = host=127.0.0.1 port=${target}\n[pgbouncer]\n${lines.join("\n")}\n`)
  // KILL: newer versions take TERM as "once every client has left".
  return startProcess({ command: [pathOf("pgbouncer"), ini], folder, ready: /process up/, stopSignal: "KILL", as })
}

/** `more`: of postgresql.conf. */
export const start = async (cache: string, more: Readonly<Record<string, string>> = {}): Promise<PostgresServer> => {
  const as = unprivileged()
  const folder = temporaryFolder("postgres", as)
  chmodSync(folder, 0o700)
  const data = await makeCluster(folder, cache).catch((error) => {
    rmSync(folder, { recursive: true, force: true }) // no keeper yet that would do it
    throw error
  })
  const [port, pooledPort] = [await freePort(), await freePort()]
  const settings = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    fsync: "off",
    synchronous_commit: "off",
    shared_buffers: "32MB",
    max_connections: 200,
    ...more
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const postgres = await startProcess({
    command: [pathOf("postgres"), "-D", data, ...options],
    folder,
    ready: /database system is ready to accept connections/,
    stopSignal: "INT", // "fast": does not wait for clients
    as
  })
  try {
    const pgbouncer = await startPgBouncer(pooledPort, port)
    const remove = async () => {
      await pgbouncer.remove()
      await postgres.remove()
    }
    return { host: "127.0.0.1", ...role, port, pooledPort, postgres, pgbouncer, remove }
  } catch (error) {
    await postgres.remove()
    throw error
  }
}
