import { Layer } from "effect"
import * as BillsFal from "./fal/BillsFal.ts"
import * as FalCatalogue from "./fal/FalCatalogue.ts"
import * as GeneratorFal from "./fal/GeneratorFal.ts"

/**
 * Who makes the pictures is chosen here and nowhere else: another provider is a folder like `fal` and other names in these two
 * lines.
 */
export const catalogue = FalCatalogue.layer
export const generator = Layer.merge(GeneratorFal.layer, BillsFal.layer).pipe(Layer.provideMerge(catalogue))
