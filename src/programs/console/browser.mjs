// What a page of the console does by itself, in the browser. Every page works without it; with it a decision takes one key.

const person = document.body.dataset.person

/** A UUID. `crypto.randomUUID` is there on HTTPS only. */
const uuid = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6] & 0x0f) | 0x40
  bytes[8] = (bytes[8] & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-")
}

const progress = document.querySelector(".progress")

// --- Decisions on their way ------------------------------------------------------------------------------------------
// Kept in the browser until the console has them, so that neither a cut connection nor a closed page loses one. Each has an
// id, and sent twice it is written once.

const KEY = `decisions of ${person}`
const read = () => {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]")
  } catch {
    return []
  }
}
let kept = true
let inMemory = []
const outbox = {
  all: () => (kept ? read() : inMemory),
  write: (all) => {
    inMemory = all
    try {
      localStorage.setItem(KEY, JSON.stringify(all))
    } catch {
      kept = false // a browser that keeps nothing: they stay in this page
    }
  },
  add: (decision) => outbox.write([...outbox.all(), decision]),
  remove: (fits) => outbox.write(outbox.all().filter((one) => !fits(one)))
}

let trouble = ""
let decided = 0
const show = () => {
  if (progress === null) return
  const waiting = outbox.all().length
  const parts = [
    decided === 0 ? "" : `${decided} decided`,
    waiting === 0 ? (decided === 0 ? "" : "all saved") : `${waiting} on the way`
  ]
  const text = parts.filter((one) => one !== "").join(" · ")
  progress.replaceChildren(text)
  if (trouble !== "") {
    const words = document.createElement("strong")
    words.className = "bad"
    words.textContent = `${text === "" ? "" : " · "}${trouble}`
    progress.append(words)
  }
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const LIMIT = 10_000

/** Decisions on a picture that follow one that was refused were made on what does not hold. */
const refused = ({ model }, last) => {
  outbox.remove((one) => one.model === model)
  for (const candidate of document.querySelectorAll(".candidate"))
    if (candidate.dataset.model === model) candidate.dataset.seen = last?.id ?? ""
}

let sending = false
const send = async () => {
  if (sending || person === undefined) return
  sending = true
  let pause = 250
  for (;;) {
    const [first] = outbox.all()
    if (first === undefined) break
    try {
      const answer = await fetch("/review", {
        method: "POST",
        headers: { accept: "application/json" },
        body: new URLSearchParams(first),
        signal: AbortSignal.timeout(LIMIT)
      })
      const { last, says } = answer.ok ? {} : await answer.json()
      if (answer.status >= 500) throw new Error(says)
      if (answer.status === 401) {
        trouble = "Your session has ended: sign in again, and what is on the way is sent."
        break
      }
      if (answer.ok) {
        outbox.remove(({ id }) => id === first.id)
        pause = 250
        if (trouble.startsWith("Not sent")) trouble = ""
      } else {
        refused(first, last)
        trouble = `${says} Your decision on it was not saved.`
      }
      show()
    } catch {
      trouble = "Not sent yet: the console cannot be reached. It is tried again."
      show()
      await wait(pause)
      pause = Math.min(pause * 2, 5000)
    }
  }
  sending = false
  show()
}

// --- The deck --------------------------------------------------------------------------------------------------------

const deck = document.querySelector(".deck")
/** How many pictures are loaded before they are looked at, and with how many left more are asked for. */
const AHEAD = 3
const FEW = 12

const review = () => {
  let at = 0
  let asking = false
  /** What can be taken back, the last at the end: the places in the deck and the pictures that were decided on. */
  const past = []
  const stacks = () => [...deck.children]
  const candidates = (stack) => (stack === undefined ? [] : [...stack.querySelectorAll(".candidate")])
  const current = () => candidates(stacks()[at]).find((one) => !one.hidden)
  const isOpen = (stack) => candidates(stack).some((one) => one.dataset.decided === undefined)

  const choose = (chosen) => {
    for (const one of candidates(stacks()[at])) one.hidden = one !== chosen
  }
  const place = (to) => {
    const all = stacks()
    at = Math.max(0, Math.min(to, all.length))
    for (const [n, stack] of all.entries()) stack.hidden = n !== at
    const [first, ...others] = candidates(all[at])
    choose([first, ...others].find((one) => one?.dataset.decided === undefined) ?? first)
    for (const stack of all.slice(at, at + 1 + AHEAD)) for (const image of stack.querySelectorAll("img")) image.loading = "eager"
    document.querySelector(".done").hidden = at < all.length || deck.dataset.more !== ""
    if (all.length - at < FEW) void more()
    show()
  }
  const more = async () => {
    const from = deck.dataset.more
    if (asking || from === "") return
    asking = true
    try {
      const answer = await fetch(from, { signal: AbortSignal.timeout(LIMIT) })
      if (!answer.ok) throw new Error(String(answer.status))
      const part = document.createElement("template")
      part.innerHTML = await answer.text()
      const list = part.content.firstElementChild
      deck.dataset.more = list.dataset.more
      const here = new Set([...deck.querySelectorAll(".candidate")].map((one) => one.dataset.model))
      // A copy, as each leaves the list.
      for (const stack of Array.from(list.children))
        if (!candidates(stack).some((one) => here.has(one.dataset.model))) {
          stack.hidden = true
          deck.append(stack)
        }
      asking = false
      place(at)
    } catch {
      setTimeout(() => {
        asking = false
        if (stacks().length - at < FEW) void more()
      }, 2000)
    }
  }

  const one = (candidate, said) => {
    const decision = { id: uuid(), model: candidate.dataset.model, seen: candidate.dataset.seen, ...said }
    candidate.dataset.seen = decision.id
    outbox.add(decision)
  }
  const decide = (said) => {
    const candidate = current()
    if (candidate === undefined) return
    const stack = stacks()[at]
    const others =
      said.verdict === "approved"
        ? candidates(stack).filter((other) => other !== candidate && other.dataset.decided === undefined)
        : []
    one(candidate, said)
    for (const other of others) one(other, { because: deck.dataset.looksLikeAnother })
    for (const each of [candidate, ...others]) each.dataset.decided = ""
    past.push({ stack, candidates: [candidate, ...others] })
    decided += 1 + others.length
    place(isOpen(stack) ? at : at + 1)
    void send()
  }
  const undo = () => {
    const last = past.pop()
    if (last === undefined) return
    for (const candidate of last.candidates) {
      one(candidate, { verdict: "undecided" })
      delete candidate.dataset.decided
    }
    decided -= last.candidates.length
    place(stacks().indexOf(last.stack))
    choose(last.candidates[0])
    void send()
  }
  const look = (by) => {
    const all = candidates(stacks()[at])
    const next = all[all.findIndex((one) => !one.hidden) + by]
    if (next !== undefined) choose(next)
  }

  deck.addEventListener("submit", (event) => {
    event.preventDefault()
    const { name, value } = event.submitter ?? {}
    if (name !== undefined) decide({ [name]: value })
  })
  const help = document.querySelector("dialog.help")
  const button = document.querySelector("[data-help]")
  button.hidden = false
  deck.dataset.live = ""
  button.addEventListener("click", () => help.showModal())

  listen(current, {
    u: undo,
    arrowleft: () => place(at - 1),
    arrowright: () => place(at + 1),
    arrowup: () => look(-1),
    arrowdown: () => look(1),
    enter: () => current()?.querySelector("a.open")?.click(),
    "/": () => document.querySelector("input[name=q]").focus(),
    "?": () => help.showModal()
  })
  place(0)
}

/** The buttons of a picture have keys; `more` are the page's own. */
const listen = (picture, more) =>
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null) return
    if (event.target.closest("input, select, textarea, summary") !== null) {
      if (event.key === "Escape") event.target.blur()
      return
    }
    // Enter presses what has the focus.
    if (event.key === "Enter" && event.target.closest("a, button") !== null) return
    const key = event.key.toLowerCase()
    const button = [...(picture()?.querySelectorAll(".decide button") ?? [])].find(
      (one) => one.querySelector("kbd")?.textContent.toLowerCase() === key
    )
    const run = more[key] ?? (button === undefined ? undefined : () => button.click())
    if (run === undefined) return
    event.preventDefault()
    run()
  })

if (deck !== null) review()
else if (document.querySelector(".decide") !== null) listen(() => document.querySelector("main"), {})
void send()
