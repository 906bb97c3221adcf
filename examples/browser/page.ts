/** The page: a photograph goes up, the job's snapshots come down, and the video plays. */
import { isKinoraError, Kinora } from '@kinora/sdk'

const kinora = new Kinora({ baseUrl: '/video' })

function element<Type extends HTMLElement>(id: string, type: new () => Type): Type {
  const found = document.getElementById(id)
  if (!(found instanceof type)) throw new Error(`#${id} is missing on the page`)
  return found
}
const form = element('form', HTMLFormElement)
const photo = element('photo', HTMLInputElement)
const prompt = element('prompt', HTMLInputElement)
const submit = element('submit', HTMLButtonElement)
const progress = element('progress', HTMLProgressElement)
const message = element('message', HTMLParagraphElement)
const cancel = element('cancel', HTMLButtonElement)
const video = element('video', HTMLVideoElement)

async function makeVideo(image: File): Promise<void> {
  const job = await kinora.generate({ image, prompt: prompt.value, duration: 2 })
  cancel.hidden = false
  cancel.addEventListener('click', () => void kinora.cancel(job.job_id), { once: true })
  const done = await kinora.wait(job.job_id, {
    onProgress(snapshot) {
      progress.value = snapshot.progress ?? 0
      message.textContent = snapshot.notice ?? snapshot.stage ?? snapshot.status
    },
  })
  message.textContent = `${done.width} x ${done.height}, seed ${done.seed}`
  video.src = done.result_url ?? ''
  video.hidden = false
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  const image = photo.files?.[0]
  if (!image) return
  submit.disabled = true
  progress.hidden = false
  video.hidden = true
  makeVideo(image)
    .catch((error: unknown) => {
      message.textContent = isKinoraError(error) ? error.message : 'Something went wrong.'
    })
    .finally(() => {
      submit.disabled = false
      progress.hidden = true
      cancel.hidden = true
    })
})
