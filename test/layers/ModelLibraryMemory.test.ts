import * as ModelLibraryMemory from "../../src/layers/memory/ModelLibraryMemory.ts"
import { modelLibraryContract } from "../contracts/modelLibrary.ts"

modelLibraryContract("ModelLibraryMemory", ModelLibraryMemory.layer)
