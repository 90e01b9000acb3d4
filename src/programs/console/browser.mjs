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

// --- What follows what happens ---------------------------------------------------------------------------------------
// The console says that a page is out of date, and the page is fetched from its own address. What the person has typed, chosen,
// opened or scrolled to stays.

/** Makes one piece of the page like another. Children with a key stay what they are, wherever they stand now. */
const morph = (from, to) => {
  if (from.isEqualNode(to)) return
  if (from.nodeName !== to.nodeName) return from.replaceWith(to)
  if (from.nodeType !== Node.ELEMENT_NODE) return void (from.nodeValue = to.nodeValue)
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value)
  for (const { name } of Array.from(from.attributes)) if (name !== "open" && !to.hasAttribute(name)) from.removeAttribute(name)
  const keyed = new Map(Array.from(from.children, (child) => [child.dataset.key, child]))
  let next = from.firstChild
  for (const child of Array.from(to.childNodes)) {
    const key = child.dataset?.key
    const own = key === undefined ? (next?.dataset?.key === undefined ? next : null) : (keyed.get(key) ?? null)
    keyed.delete(key)
    if (own === null) from.insertBefore(child, next)
    else {
      if (own === next) next = own.nextSibling
      else from.insertBefore(own, next)
      morph(own, child)
    }
  }
  while (next !== null) {
    const rest = next
    next = rest.nextSibling
    rest.remove()
  }
}

const BUSY = 900
/** The console says something every 15 seconds. */
const SILENCE = 40_000

const follow = (main) => {
  const status = document.querySelector(".live")
  const every = Number(main.dataset.every)
  let source = null
  let busy = false
  let again = false
  const isFollowing = () => source !== null
  const say = (words) => {
    if (status.textContent !== words) status.textContent = words
  }
  const stop = () => {
    clearTimeout(silence)
    source?.close()
    source = null
  }
  const fetched = async () => {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(LIMIT) })
    const page = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main[data-live]")
    if (page !== null) return page
    // It leads to the sign-in, or says what does not answer.
    if (answer.ok) stop()
    throw new Error(answer.ok ? "Your session has ended: sign in again" : String(answer.status))
  }
  const refresh = async () => {
    again = true
    if (busy) return
    busy = true
    do {
      again = false
      try {
        morph(main, await fetched())
        say("Live ·")
      } catch (error) {
        say(source === null ? `${error.message} ·` : `Not up to date since ${new Date().toLocaleTimeString()} ·`)
      }
      await wait(every)
      // Where something changes all the time, once a second is enough.
      if (again) await wait(Math.max(0, BUSY - every))
    } while (again && isFollowing())
    busy = false
  }
  /** A connection that is cut comes again by itself, one that nobody has cut and that carries nothing does not. */
  let silence
  const hear = () => {
    clearTimeout(silence)
    silence = setTimeout(() => {
      stop()
      listen()
    }, SILENCE)
  }
  /** Nobody asks for a page that nobody sees. */
  const listen = () => {
    if (document.hidden) return stop()
    if (source !== null) return
    source = new EventSource(main.dataset.live)
    hear()
    source.addEventListener("alive", hear)
    source.addEventListener("message", () => {
      hear()
      void refresh()
    })
    source.addEventListener("error", () => say("Not up to date: the console cannot be reached ·"))
  }
  document.addEventListener("visibilitychange", listen)
  addEventListener("pagehide", stop)
  addEventListener("pageshow", listen)
  listen()
}

// On a phone not every place fits.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" })
const live = document.querySelector("main[data-live]")
if (live !== null) follow(live)
if (deck !== null) review()
else if (document.querySelector(".decide") !== null) listen(() => document.querySelector("main"), {})
void send()
