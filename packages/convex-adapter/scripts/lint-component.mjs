#!/usr/bin/env node
/**
 * What convex-test lets through and a real Convex deployment does not, looked for in the syntax trees of src/component:
 *
 *   - `"use node"` and Node's own modules: a component runs in Convex's runtime only
 *   - `.paginate()`: components have none
 *   - variables of the environment that convex.config.ts does not declare: they are undefined at run time
 *   - reading the environment at module scope, where there is none
 *   - file names that are no Convex module paths
 *
 * `node scripts/lint-component.mjs [folder]`
 */
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'

/** Set by Convex in every component. */
const PLATFORM_VARIABLES = ['CONVEX_CLOUD_URL', 'CONVEX_SITE_URL']

/** The problems of a component's folder, one line each. */
export function lintComponent(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.[jt]sx?$/.test(file) && !file.includes('.test.') && !file.startsWith('_generated'))
    .map((file) => ({ file, source: parse(path.join(folder, file)) }))
  const config = files.find(({ file }) => file === 'convex.config.ts')
  const declared = [...PLATFORM_VARIABLES, ...(config ? declaredVariables(config.source) : [])]
  return files.flatMap(({ file, source }) => lintFile(file, source, declared))
}

function lintFile(file, source, declared) {
  const problems = []
  const report = (node, message) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source))
    problems.push(`${file}:${line + 1} ${message}`)
  }
  if (file !== 'convex.config.ts' && !/^[A-Za-z0-9_./]+$/.test(file.split(path.sep).join('/'))) {
    report(source, 'Convex knows modules only by letters, digits and "_": rename the file')
  }
  const visit = (node, inFunction) => {
    if (ts.isExpressionStatement(node) && ts.isStringLiteral(node.expression) && node.expression.text === 'use node') {
      report(node, '"use node" is not possible in a component')
    }
    const specifier = importedModule(node)
    if (specifier && isBuiltin(specifier.text))
      report(node, `"${specifier.text}" is Node's: Convex's runtime has it not`)
    if (
      ts.isCallExpression(node) &&
      ts.isPropertyAccessExpression(node.expression) &&
      node.expression.name.text === 'paginate'
    ) {
      report(node, '.paginate() fails in a component: use pages.ts')
    }
    const variable = environmentVariable(node)
    if (variable) {
      if (!inFunction)
        report(node, `${variable} is read at module scope, where there is no environment: read it in a handler`)
      if (!declared.includes(variable)) report(node, `${variable} is not declared in convex.config.ts`)
    }
    const inside = inFunction || ts.isFunctionLike(node)
    node.forEachChild((child) => visit(child, inside))
  }
  visit(source, false)
  return problems
}

/** The specifier of an import, a re-export, `import()` or `require()`. */
function importedModule(node) {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier)
    return node.moduleSpecifier
  const isCall = ts.isCallExpression(node)
  const called =
    isCall && (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require')
  const argument = called ? node.arguments[0] : undefined
  return argument && ts.isStringLiteral(argument) ? argument : undefined
}

/** NAME in `process.env.NAME`, `process.env['NAME']` and `env.NAME`; "*" where it is not known before run time. */
function environmentVariable(node) {
  if (!ts.isPropertyAccessExpression(node) && !ts.isElementAccessExpression(node)) return undefined
  const object = node.expression.getText()
  if (object !== 'env' && object !== 'process.env' && object !== 'globalThis.process.env') return undefined
  if (ts.isPropertyAccessExpression(node)) return node.name.text
  return ts.isStringLiteral(node.argumentExpression) ? node.argumentExpression.text : '*'
}

function declaredVariables(source) {
  const names = []
  const visit = (node) => {
    if (
      ts.isPropertyAssignment(node) &&
      node.name.getText() === 'env' &&
      ts.isObjectLiteralExpression(node.initializer)
    ) {
      for (const property of node.initializer.properties) names.push(property.name.getText())
    }
    node.forEachChild(visit)
  }
  visit(source)
  return names
}

function parse(file) {
  return ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
  const problems = lintComponent(process.argv[2] ?? path.join(root, 'src/component'))
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exit(1)
}
