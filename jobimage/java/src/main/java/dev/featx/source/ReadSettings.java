package dev.featx.source;

import dev.featx.source.ShardLine.ListedObject;
import java.io.Serializable;
import java.util.List;

/**
 * How the sources of a run are read.
 *
 * @param maxBytes larger objects are not read
 * @param hbase the table whose cells are images, or null
 * @param patience with stores that do not respond
 * @param samples decide whether a refusal is one object's or the source's
 * @param urlHosts hosts that images may be fetched from ({@link dev.featx.security.UrlHosts})
 */
public record ReadSettings(long maxBytes, HBaseTable hbase, Patience patience, Samples samples, List<String> urlHosts)
    implements Serializable {
  /**
   * Objects from across the source. If none of them can be read, neither can the source.
   *
   * @param base prefix that turns a key into a Hadoop URI
   * @param objects possibly none
   */
  public record Samples(String base, List<ListedObject> objects) implements Serializable {
    List<StoredObjects.StoredObject> stored() {
      return StoredObjects.of(base, objects).objects();
    }
  }
}
