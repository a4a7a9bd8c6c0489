/** A small memory of engineering notes in English and Russian, in which many notes are like each other. */
export const NOTES: Record<string, string> = {
  'sessions/acme-web/2026-01-12-login-loop': `# Users were logged out in a loop
Safari dropped the session cookie: SameSite=None without Secure. The middleware \`refreshSessionToken\` then redirected to /login again and again.
Fixed in PR-3216 by setting Secure and by refreshing only once per request.`,
  'sessions/acme-web/2026-01-15-cookie-banner': `# Cookie banner for the shop
The banner stores consent in localStorage under consent_v2. No tracking cookie before consent. Reviewed in #3221.`,
  'sessions/acme-web/2026-01-19-session-store': `# Session store moved to Redis
Sessions live in Redis with a TTL of 14 days. The old table web_sessions stays until March. Key prefix is sess:. See #3216 for why the login loop happened before.`,
  'sessions/acme-web/2026-01-22-checkout-timeout': `# Checkout timed out on slow payment providers
The payment provider answered after 30 s; our fetch gave up at 10 s with ETIMEDOUT. Raised PAYMENT_TIMEOUT_MS to 45000 and made the call idempotent with an Idempotency-Key header.`,
  'sessions/acme-web/2026-01-27-checkout-rounding': `# Rounding of VAT in the checkout
Totals differed by a cent. Prices are now kept in minor units; \`roundHalfEven\` in src/checkout/money.ts does the rest.`,
  'sessions/acme-web/2026-02-02-image-upload': `# Image upload fails for large photos
nginx answered 413 Request Entity Too Large. client_max_body_size is now 25m. The browser shrinks photos to 2048 px before the upload.`,
  'sessions/acme-web/2026-02-05-search-page': `# Search page of the shop
Typing waits 250 ms before it asks. The index idx_products_search covers name and description; trigram index idx_products_trgm is for typos.`,
  'sessions/acme-web/2026-02-09-dark-mode': `# Dark mode
Colours are CSS variables in src/styles/theme.css. prefers-color-scheme is honoured, the switch is stored in theme_choice.`,
  'sessions/acme-web/2026-02-13-react-upgrade': `# Upgrade to React 19.1.0
react and react-dom 19.1.0. \`useFormStatus\` replaced our own hook. The hydration warning came from a date that was formatted on the server in UTC.`,
  'sessions/acme-web/2026-02-16-next-upgrade': `# Upgrade to Next.js 15.4.2
next 15.4.2 needs React 19. Caching of fetch is off by default now; dashboards ask for force-cache explicitly.`,
  'sessions/acme-web/2026-02-20-flaky-e2e': `# Flaky end-to-end tests
Playwright clicked before the drawer had opened. Waiting for aria-expanded instead of sleeping. Retries are off again.`,
  'sessions/acme-web/2026-02-24-bundle-size': `# Bundle size
moment.js was pulled in twice (2.29.4 and 2.30.1). Replaced by Intl.DateTimeFormat: 68 kB less.`,
  'sessions/acme-web/2026-03-03-csp': `# Content Security Policy
script-src with nonces. Reports go to /csp-report. The chat widget needed frame-src https://chat.example.com.`,
  'sessions/acme-web/2026-03-06-i18n': `# Translations of the shop
Messages are in locales/ru.json and locales/en.json. Plural forms by Intl.PluralRules: Russian has one, few and many.`,

  'sessions/acme-api/2026-01-08-mongo-duplicate': `# Duplicate key on import
MongoServerError: E11000 duplicate key error collection: shop.customers index: email_1 dup key. The import now uses bulkWrite with upsert and skips what is there.`,
  'sessions/acme-api/2026-01-10-mongo-timeout': `# Mongo cannot be selected
MongoServerSelectionError after failover; serverSelectionTimeoutMS was 500. Raised to 5000, the driver is 6.12.0.`,
  'sessions/acme-api/2026-01-14-conn-refused': `# API cannot reach Postgres after the move
connect ECONNREFUSED 10.0.4.17:5432. The security group of the new subnet did not allow 5432. Opened for 10.0.0.0/16 only.`,
  'sessions/acme-api/2026-01-16-conn-reset': `# Connections reset under load
read ECONNRESET from the load balancer: its idle timeout (60 s) was shorter than our keep-alive (75 s). keepAliveTimeout is 55 s now.`,
  'sessions/acme-api/2026-01-21-relation-missing': `# Migration order
ERROR: relation "invoice_lines" does not exist, SQLSTATE 42P01. Migration 20260118_add_invoice_lines.sql ran after the view that needs it. Renumbered.`,
  'sessions/acme-api/2026-01-23-unique-violation': `# Retry of orders made two invoices
SQLSTATE 23505 unique_violation on idx_invoices_order is now answered with 409 Conflict and the invoice that exists.`,
  'sessions/acme-api/2026-01-29-deadlock': `# Deadlock between stock and orders
SQLSTATE 40P01 deadlock detected. Both transactions lock rows of stock in the order of their id now; retries are bounded by three.`,
  'sessions/acme-api/2026-02-03-slow-query': `# Slow list of sessions
A sequential scan over 4 million rows. CREATE INDEX CONCURRENTLY idx_sessions_user_id brought the p95 from 2.1 s to 14 ms.`,
  'sessions/acme-api/2026-02-04-index-bloat': `# Bloated index
idx_sessions_search had grown to 9 GB. REINDEX CONCURRENTLY, and fastupdate = off for the GIN index.`,
  'sessions/acme-api/2026-02-11-ts-errors': `# TypeScript after the upgrade
error TS2345: Argument of type 'string | undefined' is not assignable to parameter of type 'string'. Turned on noUncheckedIndexedAccess and fixed 140 places.`,
  'sessions/acme-api/2026-02-12-ts-modules': `# Modules and TypeScript
error TS2307: Cannot find module './client.js' or its corresponding type declarations. moduleResolution is NodeNext, imports end in .js.`,
  'sessions/acme-api/2026-02-18-rate-limit': `# Rate limit per token
A token bucket in Redis, 600 requests a minute. Answers 429 with Retry-After. \`consumeToken\` is one Lua script.`,
  'sessions/acme-api/2026-02-19-github-limit': `# Secondary rate limit of GitHub
HTTP 403 "You have exceeded a secondary rate limit". @octokit/plugin-throttling waits as Retry-After says. Writing through createCommitOnBranch takes one request instead of six.`,
  'sessions/acme-api/2026-02-23-octokit': `# Octokit pinned
@octokit/rest@22.0.1 and @octokit/plugin-retry@8.1.1. Newer @octokit/request wants Node 22, so it is overridden to 10.0.14.`,
  'sessions/acme-api/2026-02-25-octokit-old': `# What octokit was before
@octokit/rest@21.1.0 threw RequestError with status 304 for conditional requests; we caught it in fetchHead.`,
  'sessions/acme-api/2026-03-02-webhook': `# Webhook signatures
X-Hub-Signature-256 is compared with timingSafeEqual. Deliveries are remembered for a day, so that a replay does nothing.`,
  'sessions/acme-api/2026-03-05-jwt': `# Tokens signed with EdDSA
JsonWebTokenError: invalid signature after key rotation. Keys have a kid now, the old one is accepted for 24 hours. verifyAccessToken is in src/auth/tokens.ts.`,
  'sessions/acme-api/2026-03-09-graphql-depth': `# Depth of GraphQL queries
Queries deeper than 8 are refused with QUERY_TOO_DEEP. A persisted query is exempt.`,
  'sessions/acme-api/2026-03-11-pagination': `# Cursor pagination
OFFSET was slow on page 4,000. Cursors carry (created_at, id), encoded as base64url. \`encodeCursor\` and \`decodeCursor\` are in src/http/cursor.ts.`,
  'sessions/acme-api/2026-03-13-outbox': `# Outbox for events
Events are rows of event_outbox in the same transaction; publishPendingEvents sends them with SKIP LOCKED.`,

  'sessions/infra-ops/2026-01-07-disk-full': `# Disk full on build-03
ENOSPC: no space left on device. /var/lib/docker held 210 GB of old layers. A timer prunes images older than a week.`,
  'sessions/infra-ops/2026-01-09-inotify': `# Watchers ran out
ENOSPC: System limit for number of file watchers reached. fs.inotify.max_user_watches = 524288 in /etc/sysctl.d/60-inotify.conf.`,
  'sessions/infra-ops/2026-01-13-certificate': `# Certificate expired
The certificate of api.example.com expired on a Sunday: the renewal hook could not restart nginx (exit code 203/EXEC). An alert now warns 14 days before.`,
  'sessions/infra-ops/2026-01-17-oom': `# Worker killed by the kernel
exit code 137, OOMKilled. Heap grew because of an unbounded Map of promises. --max-old-space-size=1536 and an LRU of 500.`,
  'sessions/infra-ops/2026-01-24-kube-upgrade': `# Kubernetes 1.31.4
Cluster went from 1.30.8 to v1.31.4. PodDisruptionBudget for the API. CrashLoopBackOff of coredns was a leftover ConfigMap.`,
  'sessions/infra-ops/2026-01-25-kube-ingress': `# Ingress for the staging cluster
nginx-ingress 4.12.1; 502 Bad Gateway came from a readiness probe on the wrong port. Annotation proxy-read-timeout is 120.`,
  'sessions/infra-ops/2026-02-06-terraform-lock': `# Terraform state was locked
Error acquiring the state lock, ID 3f2b8c1e-77aa-4d0c-9b1e-5d2f6a7c8e90. The runner had died; terraform force-unlock after making sure nobody applies.`,
  'sessions/infra-ops/2026-02-07-terraform-modules': `# Terraform modules
modules/network and modules/database are versioned by tag. for_each instead of count, so that removing one does not move the others.`,
  'sessions/infra-ops/2026-02-10-windows-runner': `# Windows runner
Update failed with 0x80070005 (access denied): the service ran as LOCAL SERVICE. The path C:\\actions-runner\\_work is excluded from the scanner.`,
  'sessions/infra-ops/2026-02-14-windows-update': `# Windows image
0x80240034 while downloading updates; the proxy cut the connection. Image win2025-0214.`,
  'sessions/infra-ops/2026-02-17-backup': `# Backups of Postgres
pgBackRest, full on Sunday, differential daily. Restore rehearsed on 17.02.2026: 42 minutes for 310 GB.`,
  'sessions/infra-ops/2026-02-21-restore': `# Restore of one table
pg_restore --table=customers from the dump of 2026-02-20 into a scratch database, then INSERT … ON CONFLICT DO NOTHING.`,
  'sessions/infra-ops/2026-02-27-dns': `# DNS of the mail domain
SPF, DKIM and DMARC. DMARC is p=quarantine; reports go to dmarc@example.com. TTL lowered to 300 before the move.`,
  'sessions/infra-ops/2026-03-04-cron': `# Cron ran twice
Both replicas started the nightly report. An advisory lock (pg_try_advisory_lock(4711)) keeps it to one.`,
  'sessions/infra-ops/2026-03-10-log-cost': `# Logs cost too much
Debug lines of the proxy were 80 % of the volume. Sampling at 1 %, retention 14 days.`,
  'sessions/infra-ops/2026-03-12-ssh': `# SSH by certificates
ssh: handshake failed: knownhosts: key mismatch after the bastion was rebuilt. Hosts are signed by our CA; known_hosts has one @cert-authority line.`,

  'sessions/acme-mobile/2026-01-11-push': `# Push notifications on Android
FirebaseMessagingService was killed in Doze. High priority for chat only. The token is refreshed in onNewToken.`,
  'sessions/acme-mobile/2026-01-20-ios-crash': `# Crash at start on iOS
EXC_BAD_ACCESS (SIGSEGV) in -[AppDelegate application:didFinishLaunchingWithOptions:]. A deallocated observer; fixed in build 4.7.1.`,
  'sessions/acme-mobile/2026-01-28-android-crash': `# Crash on rotation
java.lang.IllegalStateException: Fragment already added. commitAllowingStateLoss was hiding it. Fixed in build 4.7.2.`,
  'sessions/acme-mobile/2026-02-08-offline': `# Offline mode
Changes wait in SQLite (table pending_changes) and are sent by SyncWorker. A conflict keeps both versions.`,
  'sessions/acme-mobile/2026-02-15-deep-links': `# Deep links
assetlinks.json and apple-app-site-association. acme://order/42 opens OrderDetailActivity.`,
  'sessions/acme-mobile/2026-03-01-gradle': `# Gradle 8.12
Could not resolve com.squareup.okhttp3:okhttp:4.12.0. The mirror lacked the artifact. JDK 21, configuration cache on.`,
  'sessions/acme-mobile/2026-03-07-battery': `# Battery drain
Location was asked for every second. FusedLocationProviderClient with PRIORITY_BALANCED_POWER_ACCURACY; wake locks are released in onStop.`,

  'sessions/lab-ml/2026-01-18-cuda-oom': `# CUDA out of memory
torch.cuda.OutOfMemoryError: tried to allocate 2.00 GiB. Gradient checkpointing and a batch of 16 fit into 24 GB.`,
  'sessions/lab-ml/2026-01-26-nan-loss': `# Loss became NaN
fp16 overflowed in the attention scores. bfloat16, gradient clipping at 1.0. Seen at step 12,400.`,
  'sessions/lab-ml/2026-02-01-embeddings': `# Embeddings for search
all-MiniLM-L6-v2, 384 dimensions. Cosine over passages of 60 words is better than over 200. sentence-transformers 3.4.1.`,
  'sessions/lab-ml/2026-02-22-reranker': `# A reranker
cross-encoder/ms-marco-MiniLM-L-6-v2 brings two points of nDCG@10 and costs 180 ms. Not worth it yet.`,
  'sessions/lab-ml/2026-02-26-dataset': `# Data set cleaned
Removed 12 % near-duplicates with MinHash (128 permutations, threshold 0.85). sha256 of the archive begins with 9f86d081884c7d65.`,
  'sessions/lab-ml/2026-03-08-tokenizer': `# Tokenizer for code
BPE with 32,000 merges. camelCase and snake_case are split before the merges. tokenizer.json is 2.1 MB.`,

  'sessions/strata/2026-01-30-git-lock': `# Git lock left behind
fatal: Unable to create '.git/index.lock': File exists. A killed process left it. Locks older than 10 s are taken away. Found at commit 39bfe3db7c41d2a09e5566f0b1c2d3e4f5a6b7c8.`,
  'sessions/strata/2026-01-31-update-ref': `# Compare and swap with git
git update-ref refs/heads/main <new> <old> is atomic. Commit a41f9c02be77d6135c0f4e8899aabbccddeeff00 has the test with eight writers.`,
  'sessions/strata/2026-02-28-fts': `# Full-text search in SQLite
FTS5 with bm25() and the ascii tokenizer. Terms are made by src/search/analyse.ts, so that both mirrors rank alike.`,
  'sessions/strata/2026-03-14-mirror': `# Mirror in SQLite
src/tiers/mirror-sqlite.ts keeps rows that nobody sees until a step makes them live. mirror-postgres.ts does the same with jsonb.`,
  'sessions/strata/2026-03-15-redaction': `# Redaction before a commit
E-mails, phones and keys are masked: h***@example.com. redactSecrets runs before anything is hashed.`,
  'sessions/strata/2026-03-16-mcp-inspector': `# MCP inspector
npx @modelcontextprotocol/inspector@0.17.2 shows tools/list. Error -32602 means invalid params: the schema refused an unknown key.`,

  'sessions/inbox/2026-01-05-planning': `# Plans for the quarter
Search first, then encryption. No new dependency without a reason. Review on 2026-04-01.`,
  'sessions/inbox/2026-02-12-offsite': `# Offsite in Tbilisi
From 12 May 2026 to 15 May 2026. Flights are booked by Nino, the hotel is near Rustaveli.`,
  'sessions/inbox/2026-03-17-hiring': `# Hiring
Two backend engineers by June. The exercise takes two hours and is paid.`,
  'sessions/inbox/2026-03-18-licence': `# Licence of the client library
MIT for the client, AGPL-3.0 for the server. The CLA is signed by a bot.`,

  'sessions/platforma/2026-01-06-oplata': `# Ошибка оплаты картой
Платёжная система отвечала кодом 3-D Secure timeout. Увеличили ожидание до 60 секунд и добавили повторный запрос с тем же ключом идемпотентности.`,
  'sessions/platforma/2026-01-15-vozvrat': `# Возврат средств
Возвраты проходили дважды из-за повторной доставки сообщения. Теперь обработчик проверяет таблицу processed_refunds.`,
  'sessions/platforma/2026-01-20-migraciya': `# Миграция базы данных
Перенесли базу на новый сервер без остановки: логическая репликация, затем переключение. Отставание реплики было меньше секунды.`,
  'sessions/platforma/2026-01-27-rezervnye-kopii': `# Резервные копии
Копии снимаются каждую ночь и хранятся 30 дней. Восстановление проверяем раз в квартал; последняя проверка была 15 января 2026 года.`,
  'sessions/platforma/2026-02-03-ochered': `# Очередь сообщений переполнилась
RabbitMQ остановил издателей: сработал memory high watermark. Потребители падали на сообщении без поля user_id. Добавили очередь недоставленных.`,
  'sessions/platforma/2026-02-08-kesh': `# Кэш отдавал устаревшие цены
Ключ не содержал валюту. Исправили ключ и сократили время жизни до пяти минут.`,
  'sessions/platforma/2026-02-12-avtorizaciya': `# Авторизация через Госуслуги
Подпись запроса по ГОСТ Р 34.10-2012. Ошибка ESIA-007004 означала неверный redirect_uri.`,
  'sessions/platforma/2026-02-17-otchety': `# Ежемесячные отчёты
Отчёты для бухгалтерии формируются первого числа. Выгрузка в Excel падала на 65 536 строках, перешли на потоковую запись.`,
  'sessions/platforma/2026-02-22-poisk': `# Поиск по каталогу
Морфология русского языка: словоформы приводятся к основе. Опечатки исправляются по триграммам.`,
  'sessions/platforma/2026-02-27-uvedomleniya': `# Уведомления приходили ночью
Часовой пояс пользователя не учитывался. Теперь рассылка уходит с 9 до 21 по местному времени.`,
  'sessions/platforma/2026-03-03-proizvoditelnost': `# Производительность главной страницы
Медленный запрос к счётчикам заменили материализованным представлением. Время ответа упало с 900 до 70 мс.`,
  'sessions/platforma/2026-03-06-soglasovanie': `# Договорённости с подрядчиком
Решили не переписывать модуль доставки, а обернуть его. Срок — конец апреля, ответственная Ольга.`,
  'sessions/platforma/2026-03-11-razvertyvanie': `# Развёртывание без простоя
Сначала миграции, совместимые со старым кодом, потом выкладка по одному серверу. Откат — прошлый образ.`,
  'sessions/platforma/2026-03-16-kodirovka': `# Кодировка выгрузки
Контрагент ждал windows-1251, мы отдавали UTF-8. Буква ё превращалась в вопросительный знак.`,
  'sessions/platforma/2026-03-19-dostup': `# Права доступа менеджеров
Менеджеры видели чужие заказы. Проверка прав перенесена из интерфейса в API, добавлены тесты.`,
};
