/** Reads out of a prompt which way the camera should move. Words about the subject ("the clouds drift to the left") move nothing. */

/** What the prompt says about the camera; what it leaves open the seed and the picture decide. */
export interface CameraWords {
  /** No movement at all: "static shot", "the camera holds still". */
  readonly still: boolean
  /** Where the camera goes, as seen by it. `any`: a pan was asked for, but not where to. */
  readonly pan?: 'left' | 'right' | 'up' | 'down' | 'any' | undefined
  /** A second direction: "pan up and to the left". */
  readonly alsoPan?: 'left' | 'right' | 'up' | 'down' | undefined
  readonly zoom?: 'in' | 'out' | undefined
  /** Travels instead of zooming: what is near the edges comes closer faster. */
  readonly dolly?: 'in' | 'out' | undefined
  /** Which way the picture turns on the screen. `any`: a turn was asked for, but not which way. */
  readonly rotate?: 'clockwise' | 'counterclockwise' | 'any' | undefined
  /** 1 is the usual amount of movement; "slowly" less, "fast" more. */
  readonly pace: number
}

type Direction = 'left' | 'right' | 'up' | 'down'

/** Verbs that are said of cameras only. */
const cameraVerb =
  /^(pan(s|ned|ning)?|tilt(s|ed|ing)?|truck(s|ing)?|track(s|ing)?|pedestal(s|ing)?|crane(s|d|ing)?|boom(s|ing)?)$/
/** Verbs that are said of subjects too: they count where the camera is named, or at the start ("drift left"). */
const anyVerb =
  /^(drift|glide|slide|move|travel|sweep|float|fly|flies|swing|scroll|shift|go|rise|raise|lift|ascend|climb|descend|sink|lower|look|turn)(s|es|d|ed|ing)?$|^(gliding|sliding|moving|raising|swinging)$/
const zoomVerb = /^zoom(s|ed|ing)?$/
const dollyVerb = /^(doll(y|ies|ied|ying)|push(es|ed|ing)?|pull(s|ed|ing)?)$/
const rotateVerb = /^(rotat(e|es|ed|ing|ion)|spin(s|ning)?|twirl(s|ing)?|roll(s|ed|ing)?)$/
const camera = /\b(camera|cam|shot|lens|view|viewpoint|viewer|frame|pov)\b/
const manner =
  /^(please|very|a|an|the|slow(ly)?|gentl[ey]|gently|smooth(ly)?|soft(ly)?|subtl[ey]|slight(ly)?|quick(ly)?|fast|rapid(ly)?|steady|steadily|dramatic(ally)?|cinematic|then|and|now|with)$/

/** Understands English, in any order and with any words between; takes the first of contradicting words. */
export function readPrompt(prompt: string): CameraWords {
  const clauses = prompt
    .toLowerCase()
    .replace(/[’']/g, '')
    .replace(/anti[- ]?clockwise|counter[- ]?clockwise/g, 'counterclockwise')
    .split(/[.,;:!?()\n]+|\b(?:then|while|before|after|as)\b/)
    .map((clause) => clause.trim())
    .filter((clause) => clause !== '')
  const found: { -readonly [Key in keyof CameraWords]: CameraWords[Key] } = { still: false, pace: pace(prompt) }
  for (const clause of clauses) {
    const words = clause.split(/[^a-z]+/).filter((word) => word !== '')
    if (saysStill(clause)) found.still = true
    const pans = readPan(clause, words)
    found.pan ??= pans[0]
    found.alsoPan ??= pans[1]
    found.zoom ??= readZoom(words)
    found.dolly ??= readDolly(clause, words)
    found.rotate ??= readRotation(clause, words)
  }
  if (found.pan !== undefined || found.zoom !== undefined || found.dolly !== undefined || found.rotate !== undefined) {
    found.still = false
  }
  return found
}

function saysStill(clause: string): boolean {
  return (
    /\b(static|still|fixed|locked([- ]off|[- ]down)?|stationary|motionless|unmoving)\s+(camera|shot|frame|view|lens)\b/.test(
      clause,
    ) ||
    /\bcamera\b.*\b(static|still|fixed|locked|stationary|motionless)\b/.test(clause) ||
    /\b(camera|shot)\b.*\b(does not|doesnt|wont|never) move\b/.test(clause) ||
    /\bno (camera )?(movement|motion)\b|\btripod shot\b/.test(clause) ||
    /^(static|still|no camera|hold still|locked off)$/.test(clause)
  )
}

function readPan(clause: string, words: readonly string[]): [] | ['any'] | [Direction] | [Direction, Direction] {
  for (const [index, word] of words.entries()) {
    if (isDenied(words, index)) continue
    const certain = cameraVerb.test(word) && !isThing(words, index)
    if (!certain && !(anyVerb.test(word) && isAboutTheCamera(clause, words, index))) continue
    const after = words.slice(index + 1, index + 9)
    const directions = directionsIn(after, word)
    if (directions.length > 0) return directions
    const before = words[index - 1]
    if (before === 'left' || before === 'right') return [before]
    if (/^(rises?|raises?|rising|raising|lifts?|lifting|ascends?|ascending|climbs?|climbing|crane|cranes)$/.test(word))
      return ['up']
    if (/^(descends?|descending|sinks?|sinking|lowers?|lowering)$/.test(word)) return ['down']
    if (word.startsWith('pan')) return ['any']
    if (word.startsWith('tilt')) return ['up']
  }
  return []
}

function directionsIn(words: readonly string[], verb: string): [] | [Direction] | [Direction, Direction] {
  const text = words.join(' ')
  // "from left to right" goes right: where it starts is not where it goes.
  const fromTo = /\b(left|right|top|bottom|up|down)(?: side)? to (?:the )?(left|right|top|bottom|up|down)\b/.exec(text)
  if (fromTo?.[2] !== undefined) return [toDirection(fromTo[2])]
  const found: Direction[] = []
  for (const [index, word] of words.entries()) {
    if (index > 0 && (cameraVerb.test(word) || zoomVerb.test(word) || dollyVerb.test(word) || rotateVerb.test(word)))
      break
    const match = /^(left|right|up|down)(wards?)?$/.exec(word)
    if (match?.[1] === undefined) continue
    // "look up at" moves the eye, "left hand" is a thing.
    if (/^(hand|arm|side|eye|foot|leg|wing|now|away|corner)s?$/.test(words[index + 1] ?? '') && !isTo(words, index))
      continue
    found.push(toDirection(match[1]))
  }
  const [first, second] = found
  if (first === undefined) return []
  const vertical = (direction: Direction) => direction === 'up' || direction === 'down'
  if (verb.startsWith('tilt') && !vertical(first)) return [first]
  return second !== undefined && vertical(first) !== vertical(second) ? [first, second] : [first]
}

function isTo(words: readonly string[], index: number): boolean {
  return words
    .slice(Math.max(0, index - 2), index)
    .some((word) => word === 'to' || word === 'towards' || word === 'toward')
}

function toDirection(word: string): Direction {
  return word === 'top' || word === 'up' ? 'up' : word === 'left' || word === 'right' ? word : 'down'
}

function readZoom(words: readonly string[]): 'in' | 'out' | undefined {
  for (const [index, word] of words.entries()) {
    if (!zoomVerb.test(word) || isDenied(words, index)) continue
    // "a zoom lens" is a thing.
    if (/^(lens|lenses|call|meeting)$/.test(words[index + 1] ?? '')) continue
    const near = words.slice(index + 1, index + 5)
    return near.includes('out') || near.includes('away') || near.includes('back') || words[index - 1] === 'out'
      ? 'out'
      : 'in'
  }
  return undefined
}

function readDolly(clause: string, words: readonly string[]): 'in' | 'out' | undefined {
  for (const [index, word] of words.entries()) {
    if (isDenied(words, index)) continue
    const near = words.slice(index + 1, index + 6)
    const out = near.some((next) => /^(out|back|backwards?|away)$/.test(next))
    const into = near.some((next) => /^(in|into|forwards?|closer|towards?|up)$/.test(next))
    const sideways = near.some((next) => /^(left|right)(wards?)?$/.test(next))
    if (/^doll(y|ies|ied|ying)$/.test(word) && !sideways) return out ? 'out' : 'in'
    const named = isAboutTheCamera(clause, words, index)
    if (word.startsWith('push') && named && (into || camera.test(clause))) return 'in'
    if (word.startsWith('pull') && named && out) return 'out'
    if (
      /^(move|moves|moving|travel|travels|traveling|travelling|fly|flies|flying|glide|glides|gliding|go|goes|track|tracks|tracking|come|comes|get|gets|approach|approaches|retreat|retreats|back|backs)$/.test(
        word,
      ) &&
      named
    ) {
      if (word.startsWith('retreat') || (/^backs?$/.test(word) && near[0] === 'away')) return 'out'
      if (word.startsWith('approach')) return 'in'
      if (near.some((next) => /^(back|backwards?|away)$/.test(next))) return 'out'
      if (
        near.some((next) => /^(in|into|forwards?|closer|towards?)$/.test(next)) &&
        !sideways &&
        !near.some((next) => /^(up|down)(wards?)?$/.test(next))
      )
        return 'in'
    }
  }
  return undefined
}

function readRotation(clause: string, words: readonly string[]): CameraWords['rotate'] {
  for (const [index, word] of words.entries()) {
    if (isDenied(words, index)) continue
    const near = words.slice(index + 1, index + 7)
    const turns =
      rotateVerb.test(word) || (/^turn(s|ing)?$/.test(word) && near.some((next) => next.endsWith('clockwise')))
    if (!turns) continue
    const subject = words.slice(0, index).filter((previous) => !manner.test(previous))
    const aboutPicture = /\b(picture|image|photo|photograph|scene)\b/.test(clause)
    if (subject.length > 0 && !aboutPicture && !camera.test(clause)) continue
    const way = near.find((next) => /^(clockwise|counterclockwise|left|right)$/.test(next)) ?? words[index - 1]
    // A camera that turns clockwise sees the picture turn the other way.
    const turned = camera.test(clause) && !aboutPicture
    if (way === 'clockwise' || way === 'right') return turned ? 'counterclockwise' : 'clockwise'
    if (way === 'counterclockwise' || way === 'left') return turned ? 'clockwise' : 'counterclockwise'
    return 'any'
  }
  return undefined
}

/** "no zoom", "without panning", "dont zoom in". */
function isDenied(words: readonly string[], index: number): boolean {
  return words
    .slice(Math.max(0, index - 3), index)
    .some((word) => /^(no|not|without|dont|never|avoid|doesnt)$/.test(word))
}

/** "a frying pan on the left", "a truck turns right": after an article or in a compound these words are things, unless a shot is meant. */
function isThing(words: readonly string[], index: number): boolean {
  const next = words[index + 1] ?? ''
  if (!/^(pan|truck|trucks|track|tracks|crane|cranes|boom)$/.test(words[index] ?? '')) return false
  if (/^(shot|move|movement|left|right|up|down|leftwards?|rightwards?|upwards?|downwards?)$/.test(next)) return false
  const before = words.slice(0, index).filter((word) => !manner.test(word))
  const article = words[index - 1]
  const described =
    article !== undefined && /^(slow|gentle|smooth|quick|fast|subtle|steady|dramatic|cinematic)$/.test(article)
  if (described) return false
  return (
    article === 'a' ||
    article === 'an' ||
    article === 'the' ||
    (before.length > 0 && !before.some((word) => camera.test(word)))
  )
}

function isAboutTheCamera(clause: string, words: readonly string[], index: number): boolean {
  if (camera.test(clause) || words.slice(0, index).includes('we')) return true
  return words.slice(0, index).every((word) => manner.test(word))
}

function pace(prompt: string): number {
  const text = prompt.toLowerCase()
  const slow = /\b(slow|slowly|gentle|gently|subtle|subtly|slight|slightly|calm|calmly|soft|softly)\b/.test(text)
  const fast = /\b(fast|quick|quickly|rapid|rapidly|dramatic|dramatically|strong|strongly|sudden|swift|swiftly)\b/.test(
    text,
  )
  if (slow === fast) return 1
  return slow ? 0.6 : 1.7
}
