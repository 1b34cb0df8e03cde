package dev.featx.source;

import java.util.Iterator;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * Images in objects or files listed by the driver; the decoding threads read them.
 *
 * @param objects in the order of the rows
 */
record StoredObjects(List<StoredObject> objects) implements Images.Part {
  /**
   * One object.
   *
   * @param key of the image in the table
   * @param uri where it is, written like the key ({@link ImageKeys})
   * @param size in bytes, as listed
   */
  record StoredObject(String key, String uri, long size) {
    /** Returns where it is, for Hadoop's file systems. */
    Path path() {
      return new Path(ImageKeys.path(uri));
    }
  }

  static StoredObjects of(String base, List<ShardLine.ListedObject> listed) {
    return new StoredObjects(
        listed.stream().map(object -> new StoredObject(object.key(), base + object.key(), object.size())).toList());
  }

  @Override
  public Images open(ReadSettings settings, Configuration conf) {
    ObjectReader reader = new ObjectReader(conf, settings);
    Iterator<StoredObject> remaining = objects.iterator();
    return new Images() {
      @Override
      public Image next() {
        if (!remaining.hasNext()) {
          return null;
        }
        StoredObject object = remaining.next();
        return new Image(object.key(), 0, () -> reader.read(object));
      }

      @Override
      public void close() {
        // Nothing stays open between objects.
      }
    };
  }
}
