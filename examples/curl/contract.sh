#!/usr/bin/env bash
# The HTTP contract, with nothing but curl:
#
#     API_URL=http://127.0.0.1:3000 API_KEY=… ./contract.sh photo.jpg
#
# Ends with the path of a finished video.
set -euo pipefail

: "${API_URL:?Set API_URL, such as http://127.0.0.1:3000}" "${API_KEY:?Set API_KEY}"
photo=${1:?Usage: contract.sh PHOTO [OUTPUT]}
output=${2:-video.mp4}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# call METHOD PATH [CURL OPTIONS...]: the answer's body in $work/body, its status on stdout.
call() {
  local method=$1 path=$2
  shift 2
  curl -sS -X "$method" "$API_URL$path" -H "Authorization: Bearer $API_KEY" -o "$work/body" -w '%{http_code}' "$@"
}

# field NAME: a text or number of the last answer.
field() { sed -nE "s/.*\"$1\":(\"([^\"]*)\"|([0-9.]+)).*/\2\3/p" "$work/body" | head -n 1; }

expect() {
  [ "$1" = "$2" ] || { echo "expected $2, got $1: $(cat "$work/body")" >&2; exit 1; }
}

echo '1. Health needs no key.'
expect "$(curl -sS "$API_URL/health" -o "$work/body" -w '%{http_code}')" 200

echo '2. Everything else does.'
expect "$(curl -sS "$API_URL/api/v1/jobs/none" -o "$work/body" -w '%{http_code}')" 401
expect "$(cat "$work/body" | grep -c 'Missing authorization header')" 1

echo '3. A job needs a picture.'
expect "$(call POST /api/v1/generate -H 'Content-Type: application/json' -d '{"prompt":"no picture"}')" 400

echo '4. Unknown jobs are not found.'
expect "$(call GET /api/v1/jobs/job_nobody_made)" 404

echo '5. A presigned upload: ask for the URL, put the picture.'
upload="upload_$(date +%s)_$$"
expect "$(call POST /api/v1/presign/upload -H 'Content-Type: application/json' -d "{\"job_id\":\"$upload\",\"content_type\":\"image/jpeg\"}")" 200
upload_url=$(field upload_url)
expect "$(curl -sS -X PUT "$upload_url" -H 'Content-Type: image/jpeg' --data-binary "@$photo" -o "$work/body" -w '%{http_code}')" 200

echo '6. Generate.'
expect "$(call POST /api/v1/generate -H 'Content-Type: application/json' -H "Idempotency-Key: $upload" \
  -d "{\"upload_id\":\"$upload\",\"prompt\":\"zoom in slowly\",\"duration\":1,\"width\":320,\"height\":192}")" 201
job=$(field job_id)

echo "7. Job $job, watched until it ends."
curl -sSN "$API_URL/api/v1/jobs/$job/events" -H "Authorization: Bearer $API_KEY" | sed -nE 's/^data:.*"status":"([a-z]+)".*/   \1/p' | uniq
expect "$(call GET "/api/v1/jobs/$job")" 200
expect "$(field status)" completed

echo '8. Download.'
expect "$(call GET "/api/v1/presign/download/$job")" 200
curl -sS -f "$(field download_url)" -o "$output"
echo "$output"

echo '9. One line is enough, too: the picture as a form field.'
expect "$(call POST /api/v1/generate -F "image=@$photo" -F 'prompt=pan left' -F duration=1 -F width=320 -F height=192)" 201
job=$(field job_id)
expect "$(call POST "/api/v1/jobs/$job/cancel")" 200
expect "$(call DELETE "/api/v1/jobs/$job")" 204
echo 'All good.'
