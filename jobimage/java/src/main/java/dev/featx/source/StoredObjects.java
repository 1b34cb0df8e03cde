package dev.featx.source;

import java.util.Iterator;
import java.util.List;
import org.apache.hadoop.conf.Configuration;

/**
 * Images that are objects of a store or files, as the driver has listed them; read in the threads that decode them.
 *
 * @param objects in the order of the rows
 */
record StoredObjects(List<StoredObject> objects) implements Images.Part {
  /**
   * One object.
   *
   * @param key by which the table names it
   * @param uri where Hadoop's file systems find it
   * @param size in bytes, as listed
   */
  record StoredObject(String key, String uri, long size) {}

  static StoredObjects of(String base, List<ShardLine.ListedObject> listed) {
    return new StoredObjects(
        listed.stream().map(object -> new StoredObject(object.key(), base + object.key(), object.size())).toList());
  }

  @Override
  public Images open(ReadSettings settings, Configuration conf) {
    ObjectReader reader = new ObjectReader(conf, settings.maxBytes(), settings.patience());
    Iterator<StoredObject> left = objects.iterator();
    return new Images() {
      @Override
      public Image next() {
        if (!left.hasNext()) {
          return null;
        }
        StoredObject object = left.next();
        return new Image(object.key(), 0, () -> reader.read(object));
      }

      @Override
      public void close() {
        // Nothing stays open between two objects.
      }
    };
  }
}
