import { Layer } from "effect"
import * as BillsFal from "./fal/BillsFal.ts"
import * as FalCatalogue from "./fal/FalCatalogue.ts"
import * as GeneratorFal from "./fal/GeneratorFal.ts"
import * as PayloadsFal from "./fal/PayloadsFal.ts"

/**
 * Who makes the pictures is chosen here and nowhere else: another provider is a folder like `fal` and other names in these
 * lines.
 */
export const catalogue = FalCatalogue.layer
export const bills = BillsFal.layer
export const payloads = PayloadsFal.layer
export const payloadsSettings = PayloadsFal.settings
export const generator = Layer.merge(GeneratorFal.layer, bills).pipe(Layer.provideMerge(catalogue))
