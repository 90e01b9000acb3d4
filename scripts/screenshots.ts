/**
 * Draws the pages of the console for docs/console/, at a desk and on a phone:
 *
 *     node src/main.ts demo --count 60 --console     # in another terminal
 *     node scripts/screenshots.ts http://127.0.0.1:9110
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { chromium, type Page } from "playwright-core"

const [base = "http://127.0.0.1:9110"] = process.argv.slice(2)
const folder = join(import.meta.dirname, "..", "docs", "console")
mkdirSync(folder, { recursive: true })
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] })
const windows = [
  ["desk", { viewport: { width: 1280, height: 800 } }],
  ["phone", { viewport: { width: 390, height: 760 }, deviceScaleFactor: 1.5, isMobile: true }]
] as const

/** A few decisions and a batch that fills gaps, so that there is something to see. */
const prepare = async (page: Page) => {
  await page.goto("/review")
  for (const key of "aaxaa3aaaxaaaaaaxa5aaaa") {
    await page.keyboard.press(key)
    await page.waitForTimeout(30)
  }
  await page.waitForSelector("text=all saved")
  await page.goto("/matrix")
  await page.fill("[name=most]", "2.50")
  await page.click("text=Fill >> nth=-1")
  await page.click("button.primary")
  await page.goto("/work")
  await page.waitForSelector("text=/fal works on it|in fal's queue/")
}

const shoot = async (page: Page, window: string) => {
  const at = async (name: string, path: string, ready = async () => {}) => {
    await page.goto(path)
    await page.waitForLoadState("networkidle", { timeout: 3000 }).catch(() => {}) // a page that follows is never idle
    await ready()
    await page.screenshot({ path: join(folder, `${name}-${window}.jpg`), type: "jpeg", quality: 62 })
  }
  await at("work", "/work")
  const task = await page.locator("h2:has-text('Ended') ~ div tr[data-key] a").first().getAttribute("href")
  await at("task", task ?? "/work")
  await at("library", "/library")
  await at("picture", (await page.locator(".grid a").nth(9).getAttribute("href")) ?? "/library")
  await at("review", "/review")
  await at("matrix", "/matrix")
  await at("money", "/money")
  await at("health", "/health")
  await at("audit", "/audit")
}

for (const [name, options] of windows) {
  const context = await browser.newContext({ baseURL: base, ...options })
  const page = await context.newPage()
  if (name === "desk") await prepare(page)
  await shoot(page, name)
  await context.close()
}
await browser.close()
