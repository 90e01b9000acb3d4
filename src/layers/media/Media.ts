import { Layer } from "effect"
import * as MediaSourceHttp from "./MediaSourceHttp.ts"
import * as MediaStoreLive from "./MediaStoreLive.ts"
import * as PicturesProcess from "./PicturesProcess.ts"

/** Reading, examining and storing pictures. Without MEDIA_STORE nothing of it is ever used. */
export const layer = Layer.mergeAll(MediaStoreLive.layer, MediaSourceHttp.layer, PicturesProcess.layer)
