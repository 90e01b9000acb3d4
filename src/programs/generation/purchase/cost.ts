/**
 * fal's list prices in US dollars per megapixel, as its model pages had them when this was written. What an account really
 * pays is on its bill.
 */
const perMegapixel: Readonly<Record<string, number>> = {
  "fal-ai/flux/dev": 0.025,
  "fal-ai/flux/schnell": 0.003,
  "fal-ai/flux/dev/image-to-image": 0.03
}

/** portrait_4_3 is 768 by 1024; fal rounds up to whole megapixels. */
const MEGAPIXELS = 1

export interface Cost {
  readonly model: string
  readonly currency: "USD"
  /** null for a model whose price we do not know. */
  readonly per_picture: number | null
  readonly total: number | null
}

/** An estimate, never a bill. */
export const costOf = (model: string, pictures: number): Cost => {
  const price = Object.hasOwn(perMegapixel, model) ? (perMegapixel[model] ?? null) : null
  const each = price === null ? null : price * MEGAPIXELS
  return { model, currency: "USD", per_picture: each, total: each === null ? null : Math.round(each * pictures * 1000) / 1000 }
}

export const describe = (cost: Cost, pictures: number) =>
  cost.per_picture === null || cost.total === null
    ? `cost unknown: no list price for ${cost.model} is known here`
    : `about $${cost.total.toFixed(3)}: ${pictures} x $${cost.per_picture} on ${cost.model} (an estimate from the list price)`
