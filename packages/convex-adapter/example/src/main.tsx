import { ConvexProvider, ConvexReactClient } from 'convex/react'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app'
import './style.css'

/** `npx convex dev` writes VITE_CONVEX_URL into .env.local. */
const url: string | undefined = import.meta.env.VITE_CONVEX_URL
const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no element with the id "root".')

createRoot(root).render(
  <StrictMode>
    {url === undefined ? (
      <p className="problem">VITE_CONVEX_URL is not set: run “npx convex dev” in this folder first.</p>
    ) : (
      <ConvexProvider client={new ConvexReactClient(url)}>
        <App />
      </ConvexProvider>
    )}
  </StrictMode>,
)
