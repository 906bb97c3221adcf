/**
 * What a Convex deployment answers to `convex codegen`, on this machine: it evaluates the bundles that the CLI sends and says which functions,
 * arguments, routes and environment they define. Nothing is stored and nothing leaves the machine.
 *
 * The CLI makes two calls: `get_config_hashes` (what is deployed: nothing) and `start_push` (what do these bundles define). The shapes below were
 * read from the sources of convex 1.48.0 (src/cli/lib/deployApi); pin convex exactly, another version may ask for more.
 */
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { brotliDecompressSync } from 'node:zlib'

const convexVersion = createRequire(import.meta.url)('convex/package.json').version

/** @returns {Promise<{ url: string, close(): void }>} */
export async function startStandIn() {
  // Convex's own modules look for the runtime they were written for.
  globalThis.Convex ??= {}
  process.env.CONVEX_SITE_URL ??= 'http://127.0.0.1/site'
  process.env.CONVEX_CLOUD_URL ??= 'http://127.0.0.1/cloud'

  const folder = await mkdtemp(path.join(tmpdir(), 'kinora-codegen-'))
  await writeFile(path.join(folder, 'package.json'), '{"type":"module"}')

  const server = http.createServer((request, response) => {
    answer(request, folder).then(
      (body) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body)),
      (error) => {
        console.error(error)
        response.statusCode = 400
        response.end(JSON.stringify({ code: 'CodegenStandIn', message: String(error) }))
      },
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function answer(request, folder) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  const text = request.headers['content-encoding'] === 'br' ? brotliDecompressSync(bytes) : bytes
  const body = bytes.length === 0 ? {} : JSON.parse(String(text))

  switch (path.posix.basename(request.url)) {
    case 'get_config_hashes':
      return {
        config: { functions: 'convex/', authInfo: [] },
        moduleHashes: [],
        nodeDependencies: [],
        udfServerVersion: convexVersion,
      }
    case 'start_push':
      return describePush(body, folder)
    default:
      throw new Error(`The CLI asks for ${request.method} ${request.url}, which nobody has described yet.`)
  }
}

async function describePush({ appDefinition, componentDefinitions }, folder) {
  const definitions = await evaluateDefinitions(componentDefinitions, folder)
  const analysis = { '': await describe(appDefinition, '', definitions, folder) }
  for (const component of componentDefinitions) {
    analysis[component.definitionPath] = await describe(component, component.definitionPath, definitions, folder)
  }
  return {
    environmentVariables: {},
    externalDepsId: null,
    componentDefinitionPackages: {},
    appAuth: [],
    analysis,
    app: {
      definitionPath: '',
      componentPath: '',
      args: {},
      childComponents: {},
      httpRoutes: { httpModuleRoutes: null, mounts: [] },
      exports: {},
    },
    schemaChange: { allocatedComponentIds: {}, schemaIds: {} },
  }
}

/** Each component's `convex.config`, by its path; a component comes after those it uses, whose names it is told. */
async function evaluateDefinitions(components, folder) {
  const done = new Map()
  const evaluate = async (component) => {
    if (done.has(component.definitionPath)) return
    for (const dependency of component.dependencies) {
      await evaluate(components.find(({ definitionPath }) => definitionPath === dependency))
    }
    done.set(component.definitionPath, await evaluateDefinition(component, done, folder))
  }
  for (const component of components) await evaluate(component)
  return done
}

/** A bundle of a `convex.config` imports its components as `./_componentDeps/<path in base64url>`, which a deployment makes up; so do we. */
async function evaluateDefinition({ definition, dependencies }, definitions, folder) {
  let { source } = definition
  const modules = []
  for (const dependency of dependencies) {
    const specifier = `_componentDeps/${Buffer.from(dependency).toString('base64url')}`
    for (const quote of [`"`, `'`]) source = source.replaceAll(`${specifier}${quote}`, `${specifier}.js${quote}`)
    const imported = { componentDefinitionPath: dependency, defaultName: definitions.get(dependency).name }
    modules.push({ path: `${specifier}.js`, source: `export default ${JSON.stringify(imported)}` })
  }
  const evaluated = await evaluateModules([{ path: 'convex.config.js', source }, ...modules], folder)
  return evaluated.get('convex.config.js').default.export()
}

/** What the modules of an app or component define. */
async function describe(bundle, definitionPath, definitions, folder) {
  const definition =
    definitions.get(definitionPath) ??
    (bundle.definition
      ? await evaluateDefinition(bundle, definitions, folder)
      : { definitionType: { type: 'app' }, childComponents: [], httpMounts: {} })
  const modules = await evaluateModules(bundle.functions ?? bundle.changedModules ?? [], folder)
  const functions = {}
  const exported = []
  for (const [file, module] of modules) {
    const described = Object.entries(module).flatMap(([name, value]) => describeFunction(name, value) ?? [])
    functions[file] = { functions: described, httpRoutes: null, cronSpecs: null, sourceMapped: null }
    const moduleName = file.replace(/\.js$/, '')
    for (const { name, visibility } of described) {
      if (visibility.kind === 'public') {
        addLeaf(exported, [...moduleName.split('/'), name], `_reference/function/${moduleName}:${name}`)
      }
    }
  }
  return {
    definition: { ...definition, path: definitionPath, exports: { type: 'branch', branch: exported } },
    schema: null,
    functions,
    udfConfig: { serverVersion: bundle.udfServerVersion, importPhaseRngSeed: null, importPhaseUnixTimestamp: null },
  }
}

function describeFunction(name, value) {
  const udfType = value?.isQuery ? 'Query' : value?.isMutation ? 'Mutation' : value?.isAction ? 'Action' : undefined
  if (udfType === undefined) return undefined
  return {
    name,
    pos: null,
    udfType,
    visibility: { kind: value.isPublic ? 'public' : 'internal' },
    args: sorted(value.exportArgs()),
    returns: sorted(value.exportReturns()),
  }
}

function addLeaf(branch, [name, ...rest], leaf) {
  if (rest.length === 0) {
    branch.push([name, { type: 'leaf', leaf }])
    return
  }
  let entry = branch.find(([other]) => other === name)
  if (entry === undefined) branch.push((entry = [name, { type: 'branch', branch: [] }]))
  addLeaf(entry[1].branch, rest, leaf)
}

/** A deployment keeps the fields of objects sorted, and what is generated follows that order. */
function sorted(json) {
  return JSON.stringify(JSON.parse(json), (_, value) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
}

/** Imports bundles in this process, in a folder of their own; shared chunks (`_deps/`) only through those that need them. */
async function evaluateModules(modules, folder) {
  const home = await mkdtemp(path.join(folder, 'push-'))
  for (const { path: file, source } of modules) {
    await mkdir(path.dirname(path.join(home, file)), { recursive: true })
    await writeFile(path.join(home, file), source)
  }
  const evaluated = new Map()
  for (const { path: file } of modules) {
    if (file.startsWith('_deps/') || file.startsWith('_componentDeps/')) continue
    evaluated.set(file, await import(pathToFileURL(path.join(home, file)).href))
  }
  return evaluated
}
