package dev.featx.source;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import dev.featx.security.UrlHosts;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;

/**
 * Images at the URLs that the rows of a table hold.
 *
 * <p>Those of the run's own store are read as any object is. Those of the web are fetched ahead by threads of their own and
 * returned as they arrive, so that a slow host delays its own rows only. Rows that wait for their host are not threads, and
 * the rows ahead, like the bytes of responses, are bounded.
 */
final class UrlImages implements Images {
  private static final int AHEAD = 5000; // rows, of which a shard has about as many
  private static final int ROWS_AT_ONCE = 50; // that are read before requests begin
  private static final int THREADS = 16;
  private static final long ROOM = 32 << 20; // bytes of responses; a single one may need more
  private static final long USUAL = 1 << 20; // bytes of a response before its size is known
  private static final long LONGEST_SILENCE_MILLIS = 30_000;
  private static final long LONGEST_REQUEST_MILLIS = 120_000;
  private static final long TICK_MILLIS = 100;

  private final Images rows;
  private final StoreUrls stores;
  private final UrlClient client;
  private final Patience patience;
  private final long maxBytes;
  private final ExecutorService pool = Executors.newFixedThreadPool(THREADS, task -> {
    Thread thread = new Thread(task, "url-images");
    thread.setDaemon(true); // one that resolves a name cannot be interrupted
    return thread;
  });
  private final Deque<UrlRow> waiting = new ArrayDeque<>();
  private final BlockingQueue<Response> responses = new LinkedBlockingQueue<>();
  private int running;
  private int rowsRead;
  private long reserved; // by requests, and by images that were not taken yet
  private boolean exhausted;
  private boolean reportedWait;

  /** The result of a row's request. */
  private record Response(UrlRow row, UrlResult result) {}

  /**
   * Fetches the images of a table.
   *
   * @param rows the table; the content of each is its URL
   * @param source address of any of the table's files
   */
  UrlImages(Images rows, String source, ReadSettings settings, Configuration conf) {
    this.rows = rows;
    this.stores = new StoreUrls(source, settings, conf);
    this.patience = settings.patience();
    this.maxBytes = settings.maxBytes();
    long silence = Math.min(LONGEST_SILENCE_MILLIS, TimeUnit.SECONDS.toMillis(patience.seconds()));
    UrlClient.Limits limits = new UrlClient.Limits(maxBytes, silence, LONGEST_REQUEST_MILLIS);
    this.client = new UrlClient(new UrlHosts(settings.urlHosts()), limits, THREADS);
  }

  @Override
  public Image next() throws IOException, InterruptedException {
    while (true) {
      Patience.checkNotKilled();
      Response response = responses.poll();
      Image image = response == null ? nextRow() : finished(response);
      if (image != null) {
        return image;
      }
      if (exhausted && waiting.isEmpty() && running == 0 && responses.isEmpty()) {
        return null;
      }
      boolean isRead = exhausted || isAhead();
      if (isRead || response != null || ++rowsRead % ROWS_AT_ONCE == 0) { // not at each row, as all that wait are looked at
        image = beginWaiting();
        if (image != null) {
          return image;
        }
      }
      if (isRead && responses.isEmpty()) {
        await();
      }
    }
  }

  private boolean isAhead() {
    return waiting.size() + running >= AHEAD;
  }

  /** Waits for a response, or until a host may be asked again. */
  private void await() throws IOException, InterruptedException {
    Response response = responses.poll(TICK_MILLIS, TimeUnit.MILLISECONDS);
    if (response != null) {
      responses.add(response);
    }
    if (running == 0 && response == null && !waiting.isEmpty() && !reportedWait) {
      patience.observer().waitingFor("waiting for " + waiting.peek().url().host() + ", which " + waiting.peek().cause());
      reportedWait = true;
    }
    if (response != null && reportedWait) {
      patience.observer().waitingFor("");
      reportedWait = false;
    }
  }

  /** Takes a row of the table; returns its image unless it has to be fetched from the web. */
  private Image nextRow() throws IOException, InterruptedException {
    if (exhausted || isAhead()) {
      return null;
    }
    Image row = rows.next();
    if (row == null) {
      exhausted = true;
      return null;
    }
    try {
      String url = new String(row.content().bytes(), StandardCharsets.UTF_8).strip();
      if (url.isEmpty()) {
        throw new ImageProblem(ImageProblem.Stage.READ, QuarantineReason.EMPTY, "the row has no URL");
      }
      if (StoreUrls.isOfStore(url)) {
        return new Image(row.key(), 0, stores.content(row.key(), url), row.carried());
      }
      waiting.add(new UrlRow(row, ImageUrl.of(url), Math.min(USUAL, maxBytes)));
      return null;
    } catch (ImageProblem e) {
      return failed(row, e);
    }
  }

  /** Begins as many requests as hosts and memory permit; returns the image of a row whose host is down. */
  private Image beginWaiting() {
    Iterator<UrlRow> remaining = waiting.iterator();
    while (remaining.hasNext() && running < THREADS) {
      UrlRow row = remaining.next();
      long now = System.nanoTime() / 1_000_000;
      if (now < row.notBefore() || !hasRoom(row)) {
        continue;
      }
      switch (row.host().begin(now)) {
        case BEGUN -> {
          remaining.remove();
          begin(row, now);
        }
        case DOWN -> {
          remaining.remove();
          return failed(row.row(), row.url().problem(QuarantineReason.UNREADABLE,
              "was not requested: its host did not respond to the requests before"));
        }
        default -> {
          // Its host has enough requests, or wants a pause.
        }
      }
    }
    return null;
  }

  private boolean hasRoom(UrlRow row) {
    synchronized (responses) {
      return reserved + row.room() <= ROOM || reserved == 0;
    }
  }

  private void begin(UrlRow row, long now) {
    running++;
    row.begin(now);
    synchronized (responses) {
      reserved += row.room();
    }
    pool.execute(() -> {
      UrlResult result;
      try {
        result = client.fetch(row.url(), bytes -> reserve(row, bytes));
      } catch (RuntimeException e) {
        result = new UrlResult.Failed(row.url().problem(QuarantineReason.UNREADABLE, "cannot be requested"));
      }
      responses.add(new Response(row, result));
    });
  }

  private boolean reserve(UrlRow row, long bytes) {
    synchronized (responses) {
      long more = bytes - row.room();
      if (more > 0 && reserved + more > ROOM && reserved > row.room()) {
        return false;
      }
      reserved += Math.max(0, more);
      row.reserve(Math.max(row.room(), bytes));
      return true;
    }
  }

  /** Returns the image of a row that is finished, or null if there will be another request for it. */
  private Image finished(Response response) {
    running--;
    UrlRow row = response.row();
    synchronized (responses) {
      reserved -= row.room();
    }
    ImageProblem problem = row.after(response.result(), System.nanoTime() / 1_000_000, patience.seconds() * 1000);
    if (problem != null) {
      return failed(row.row(), problem);
    }
    if (response.result() instanceof UrlResult.Bytes fetched) {
      byte[] bytes = fetched.bytes();
      return new Image(row.row().key(), bytes.length, () -> bytes, row.row().carried());
    }
    if (response.result() instanceof UrlResult.Redirect) {
      waiting.addFirst(row);
    } else {
      waiting.addLast(row);
    }
    return null;
  }

  private static Image failed(Image row, ImageProblem problem) {
    return new Image(row.key(), 0, () -> {
      throw problem;
    }, row.carried());
  }

  @Override
  public int skipped() {
    return rows.skipped();
  }

  @Override
  public void close() {
    pool.shutdownNow();
    client.close();
    rows.close();
  }
}
