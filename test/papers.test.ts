/**
 * What the documents and the comments cite exists: documents, sections, files, names in the code, npm scripts, commands and their
 * flags.
 */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { existsSync, globSync, readFileSync, statSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { Effect } from "effect"
import manifest from "../package.json" with { type: "json" }
import * as Arguments from "../src/programs/generation/tasks/Arguments.ts"
import * as Batch from "../src/programs/generation/tasks/batchGenerate.ts"
import * as Edit from "../src/programs/generation/tasks/editModel.ts"
import * as Generate from "../src/programs/generation/tasks/generateModel.ts"

const root = join(import.meta.dirname, "..")
const read = (path: string) => readFileSync(join(root, path), "utf8")
const glob = (...patterns: ReadonlyArray<string>) =>
  globSync([...patterns], { cwd: root, exclude: (path) => path.includes("node_modules") })

const documents = glob("*.md", "{docs,deploy,examples}/**/*.md")
const code = glob(
  "*.{ts,json,yml}",
  "{src,test,scripts,examples,clients}/**/*.{ts,py,sh,cjs,mjs}",
  "deploy/**/*.{sh,yml,yaml,service,ini,env}",
  ".ci/*",
  ".env.example",
  "Dockerfile"
)
const files = [...documents, ...code, ...glob("docs/*.{png,jpg}", "{test,deploy,docs}/**/*.{json,txt,env}", ".oxlintrc.json")]
const folders = new Set(files.flatMap((file) => file.split("/").map((_, at, parts) => parts.slice(0, at).join("/"))))

/** Made by a command, so not in a checkout; or another machine's. */
const madeLater = /^(?:dist|demo-output|\.venv|node_modules|\.env$)\b|^\/|\.log$/
const inRepository = /^(?:src|test|docs|deploy|scripts|examples|\.ci)\//

/** The file or folder of ours that `path` means in `document`: as it stands, beside the document, or by the end of its path. */
const exists = (path: string, document: string): boolean => {
  const bare = path.replace(/^\.\//, "").replace(/\/$/, "")
  if (existsSync(join(root, bare)) || existsSync(join(root, dirname(document), bare))) return true
  if (bare.includes("*")) return glob(bare).length > 0
  // The tests' command takes the beginning of a file's path.
  return [...files, ...folders].some((file) => file.endsWith(`/${bare}`) || (/^test\/./.test(bare) && file.startsWith(bare)))
}

interface Place {
  readonly line: number
  readonly text: string
}
interface Document {
  readonly prose: ReadonlyArray<Place>
  /** Inline code, and each line of the blocks of code. */
  readonly spans: ReadonlyArray<Place>
  readonly commands: ReadonlyArray<Place>
}
const parse = (text: string): Document => {
  const prose: Array<Place> = []
  const spans: Array<Place> = []
  const commands: Array<Place> = []
  let block: string | undefined
  for (const [at, line] of text.split("\n").entries()) {
    const fence = /^\s*```(\w*)/.exec(line)
    if (fence !== null) block = block === undefined ? fence[1]! : undefined
    else if (block !== undefined) {
      if (block === "sh") commands.push({ line: at + 1, text: line.replace(/\s#.*$/, "") })
    } else {
      prose.push({ line: at + 1, text: line.replaceAll(/`[^`]+`/g, "") })
      for (const [, span] of line.matchAll(/`([^`]+)`/g)) {
        spans.push({ line: at + 1, text: span! })
        commands.push({ line: at + 1, text: span! })
      }
    }
  }
  return { prose, spans, commands }
}
const parsed = new Map(documents.map((file) => [file, parse(read(file))]))

/** GitHub's anchors of the headings. */
const anchors = (document: string): ReadonlySet<string> => {
  const headings = [...read(document).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-")
  )
  return new Set(headings)
}
const resolvesTo = (link: string, document: string): boolean => {
  const [path = "", anchor] = link.split("#")
  const target = path === "" ? document : normalize(join(dirname(document), path))
  if (!existsSync(join(root, target))) return false
  return anchor === undefined || anchors(target).has(anchor)
}

/** Every word of the code, and of what others' programs are told there. */
const words = new Set(code.filter((file) => file !== "test/papers.test.ts").flatMap((file) => read(file).match(/[\w]+/g) ?? []))
/** Words of Redis and of Celery 5.6 that documents explain and that our code never says. */
const others = new Set(["BLMOVE", "binding_deadlines"])
const isKnown = (name: string) =>
  name
    .replace(/\(\)$|^model_generator_(?=.)/g, "")
    .split(".")
    .every((part) => words.has(part) || others.has(part))

/** The flags of each command of the program, as it completes them in a shell. */
const flags = new Map<string, Set<string>>()
beforeAll(() => {
  const completions = execFileSync(process.execPath, [join(root, "src/main.ts"), "--completions", "fish"], { encoding: "utf8" })
  for (const [, name] of completions.matchAll(/__fish_use_subcommand' -f -a '([\w-]+)'/g)) flags.set(name!, new Set(["help"]))
  for (const [, name, flag] of completions.matchAll(/__fish_seen_subcommand_from ([\w-]+)[^']*' -l ([\w-]+)/g))
    flags.get(name!)?.add(flag!)
  assert.isAbove(flags.size, 8)
})
const flagsIn = (text: string) => [...text.matchAll(/(?<=^|\s)--([a-z][\w-]*)/g)].map(([, flag]) => flag!)
const unknownFlags = (command: string, rest: string): ReadonlyArray<string> => {
  const known = flags.get(command)
  if (known === undefined) return [`there is no command ${command}`]
  return flagsIn(rest).flatMap((flag) => (known.has(flag) ? [] : [`${command} has no --${flag}`]))
}
/** Flags of a script of ours: those in its own text, or those of the command that it hands its arguments to. */
const unknownScriptFlags = (script: string, rest: string): ReadonlyArray<string> => {
  const text = read(script)
  const handedTo = /in_worker ([\w-]+) .*"\$@"/.exec(text)?.[1]
  if (handedTo !== undefined) return unknownFlags(handedTo, rest)
  return flagsIn(rest).flatMap((flag) =>
    text.includes(`--${flag}`) || new RegExp(`\\b${flag}: \\{ type:`).test(text) ? [] : [`${script} has no --${flag}`]
  )
}
const scripts: Readonly<Record<string, string>> = manifest.scripts
const unknownCommands = (text: string): ReadonlyArray<string> => {
  const problems: Array<string> = []
  for (const [, name, rest] of text.matchAll(
    /\bnpm (?:run (?:--silent )?)?((?<=run (?:--silent )?)[\w:]+|test)((?: -- [^|&;`]*)?)/g
  )) {
    const script = scripts[name!]
    if (script === undefined) problems.push(`there is no npm script ${name}`)
    else if (rest !== "") {
      const [, command] = /src\/main\.ts ([\w-]+)/.exec(script) ?? []
      const [file] = /(?:test|scripts)\/(?!npm)[\w/]+\.(?:ts|sh)/.exec(script) ?? []
      problems.push(
        ...(command !== undefined
          ? unknownFlags(command, rest!)
          : file === undefined
            ? [`${name} takes no flags`]
            : unknownScriptFlags(file, rest!))
      )
    }
  }
  for (const [, command, rest] of text.matchAll(
    /(?<!systemctl \w+ )(?<=^|\s)(?:mg|model-generator|node dist\/model-generator\.mjs) ([a-z][a-z-]*)((?: [^|&;]*)?)/g
  ))
    problems.push(...unknownFlags(command!, rest!))
  const [, bare = "", itsFlags = ""] = /^([a-z-]+)( (?:\w+ )*--.*)$/.exec(text) ?? []
  if (flags.has(bare)) problems.push(...unknownFlags(bare, itsFlags))
  for (const [, shell, path, rest] of text.matchAll(/(?:^|\s)(bash )?((?:scripts|deploy)\/[\w-]+\.sh)((?: [^|&;]*)?)/g)) {
    if (!existsSync(join(root, path!))) problems.push(`there is no ${path}`)
    else {
      if (shell === undefined && (statSync(join(root, path!)).mode & 0o111) === 0) problems.push(`${path} cannot be run`)
      problems.push(...unknownScriptFlags(path!, rest!))
    }
  }
  return problems
}

describe.each(documents)("%s", (document) => {
  const { commands, prose, spans } = parsed.get(document)!
  const wrong = (places: ReadonlyArray<Place>, problems: (text: string) => ReadonlyArray<string>) =>
    assert.deepStrictEqual(
      places.flatMap(({ line, text }) => problems(text).map((problem) => `${document}:${line}: ${problem}`)),
      []
    )

  it("links to documents and sections that exist", () =>
    wrong(prose, (text) =>
      [...text.matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, link]) => link!)
        .filter((link) => !/^https?:/.test(link) && !resolvesTo(link, document))
    ))

  it("names files and folders that exist", () =>
    wrong(spans, (text) =>
      [
        ...text.matchAll(
          /(?:^|\s)((?:\.?[\w@*-]+\/)*[\w@*.-]+\.(?:ts|md|sh|yml|yaml|json|py|service|jpg|png)|(?:\.?[\w@-]+\/)+[\w@-]*)(?=[\s:,;#]|$)/g
        )
      ]
        .map(([, path]) => path!)
        .filter((path) => !madeLater.test(path) && (inRepository.test(path) || /\.\w+$|^[\w-]+\/$/.test(path)))
        .filter((path) => !exists(path, document))
    ))

  it("types npm scripts, commands and flags that exist", () => wrong(commands, unknownCommands))

  // What has been released keeps the names it was released with.
  if (document !== "CHANGELOG.md")
    it("names nothing in the code that the code does not have", () =>
      wrong(spans, (text) =>
        /^[A-Za-z_][\w.]{2,}(?:\(\))?$/.test(text) && !/\.\.|\.(?:ts|py|md)$/.test(text) && !isKnown(text) ? [text] : []
      ))
})

describe("ARCHITECTURE.md", () => {
  const map = /## Rooms\n[^]*?```text\n([^]*?)```/.exec(read("ARCHITECTURE.md"))?.[1] ?? ""
  it("has each room of src on its map, and no other", () => {
    const rooms = [...folders].filter((folder) => /^src\/[\w-]+(?:\/[\w-]+){0,2}$/.test(folder)).map((folder) => `${folder}/`)
    const mapped = [...map.matchAll(/^(src\/\S*\/)/gm)].map(([, room]) => room!)
    const without = (some: ReadonlyArray<string>, others: ReadonlyArray<string>) => some.filter((room) => !others.includes(room))
    assert.deepStrictEqual({ notOnTheMap: without(rooms, mapped), gone: without(mapped, rooms) }, { notOnTheMap: [], gone: [] })
  })
})

describe("docs/decisions", () => {
  const pages = glob("docs/decisions/*.md").filter((page) => !page.endsWith("README.md"))
  it.each(pages)("%s says what was decided, what was rejected, and what would change our mind", (page) => {
    const headings = [...read(page).matchAll(/^## (.+)$/gm)].map(([, heading]) => heading!)
    assert.deepStrictEqual(headings, ["Decided", "Rejected", "What would change our mind"])
    assert.include(read("docs/decisions/README.md"), `(${page.slice("docs/decisions/".length)})`)
  })
})

describe("README.md", () => {
  /** The cells of the table in a section. */
  const table = (heading: string) => {
    const [, section = ""] = new RegExp(`\\n### ${heading}\\n([^]*?)(?=\\n##)`).exec(read("README.md")) ?? []
    return [...section.matchAll(/^\| `(.*)\|$/gm)].map(([row]) =>
      row
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim())
    )
  }
  const argumentsOf = (task: string) =>
    table(`Arguments of ${task}`).map(([name = "", fallback]) => ({
      name: name.replaceAll("`", ""),
      needed: fallback === "needed"
    }))

  for (const [task, { names, Request }] of Object.entries({ generate_model: Generate, edit_model: Edit, batch_generate: Batch }))
    it.effect(`has the arguments of ${task} in their order, and says which are needed`, () =>
      Effect.gen(function* () {
        const nothing = yield* Effect.flip(Arguments.bind(Request, names, { args: [], kwargs: {} })).pipe(
          Effect.orElseSucceed(() => ({ message: "" }))
        )
        const missing = new Set([...nothing.message.matchAll(/(\w+): is missing/g)].map(([, name]) => name!))
        assert.deepStrictEqual(
          argumentsOf(task),
          names.map((name) => ({ name, needed: missing.has(name) }))
        )
      })
    )

  it("has every failure that a client may meet", () => {
    const named = code
      .filter((file) => /^src\/programs\/(?:celery|task|generation)\//.test(file))
      .flatMap((file) => [...read(file).matchAll(/(?:\bmake\([\w".]+, |\btype: |\bexc_type: )"(\w+)"/g)].map(([, name]) => name!))
    assert.sameMembers(
      table("Failures").map(([name = ""]) => name.replaceAll("`", "")),
      [...new Set(named.filter((name) => /^[A-Z]/.test(name)))]
    )
  })
})

describe("comments", () => {
  /** What a line holds after a comment's sign. */
  const comments = code.flatMap((file) =>
    read(file)
      .split("\n")
      .flatMap((line, at) => {
        const found = /(?:^|\s)(?:\/\/|\/\*\*?|\*|#)\s(.*)$/.exec(line)
        return found === null ? [] : [{ file, line: at + 1, text: found[1]! }]
      })
  )
  const wrong = (problems: (text: string, file: string) => ReadonlyArray<string>) =>
    assert.deepStrictEqual(
      comments.flatMap(({ file, line, text }) => problems(text, file).map((problem) => `${file}:${line}: ${problem}`)),
      []
    )

  it("cite files that exist", () =>
    wrong((text, file) =>
      [...text.matchAll(/(?<![\w/.-])((?:[\w-]+\/)*[\w.-]+\.(?:md|ts|sh|py|yml))\b(?!\()/g)]
        .map(([, path]) => path!)
        .filter((path) => !exists(path, file))
    ))

  it("cite sections that exist, as do the words that an operator is shown", () => {
    const cited = code.flatMap((file) =>
      [...read(file).matchAll(/((?:[\w-]+\/)*[\w-]+\.md)(?:#([\w-]+)|, \\?"([^"\\]+)\\?")/g)].map(([, path, anchor, title]) => ({
        file,
        path: path!,
        anchor: anchor ?? title!.toLowerCase().replaceAll(" ", "-")
      }))
    )
    assert.isAbove(cited.length, 20)
    assert.deepStrictEqual(
      cited.filter(({ anchor, path }) => !existsSync(join(root, path)) || !anchors(path).has(anchor)),
      []
    )
  })

  it("cite no section of a document that a reader does not have", () =>
    wrong((text) =>
      [...text.matchAll(/\b[a-z]+(?:-[a-z]+)+ \d+(?:\.\d+)?(?:(?:, | to )\d+\.\d+)*(?=\))/g)].map(([cited]) => cited)
    ))

  it("type npm scripts and flags that exist", () =>
    wrong((text) => [...text.matchAll(/npm run [\w:]+(?: -- [^`"]+)?/g)].flatMap(([typed]) => unknownCommands(typed))))
})
