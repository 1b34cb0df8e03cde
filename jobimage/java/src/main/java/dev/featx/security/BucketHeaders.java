package dev.featx.security;

import org.apache.hadoop.conf.Configurable;
import org.apache.hadoop.conf.Configuration;
import software.amazon.awssdk.core.SdkRequest;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;
import software.amazon.awssdk.services.s3.model.HeadObjectRequest;

/** Adds the headers of a bucket's settings to what S3A requests, which has no settings for them: a Delta table's log. */
public final class BucketHeaders implements ExecutionInterceptor, Configurable {
  private static final String SETTING = "fs.s3a.audit.execution.interceptors";
  private static final String ENABLED = "fs.s3a.audit.enabled";
  private static final String UNCACHED = "fs.s3a.impl.disable.cache";

  private Configuration conf;

  /** Returns settings with which a file system that is created anew adds the headers. */
  public static Configuration added(Configuration conf) {
    Configuration adding = new Configuration(conf);
    adding.setBoolean(ENABLED, true);
    adding.set(SETTING, BucketHeaders.class.getName());
    adding.setBoolean(UNCACHED, true);
    return adding;
  }

  @Override
  public SdkHttpRequest modifyHttpRequest(Context.ModifyHttpRequest context, ExecutionAttributes attributes) {
    SdkRequest request = context.request();
    String bucket = request.getValueForField("Bucket", String.class).orElse(null);
    if (bucket == null) {
      return context.httpRequest();
    }
    BucketSettings settings = new BucketSettings(bucket, conf);
    boolean object = request instanceof GetObjectRequest || request instanceof HeadObjectRequest;
    SdkHttpRequest.Builder modified = context.httpRequest().toBuilder();
    (object ? settings.headers() : settings.ownHeaders()).forEach(modified::putHeader);
    return modified.build();
  }

  @Override
  public void setConf(Configuration settings) {
    this.conf = settings;
  }

  @Override
  public Configuration getConf() {
    return conf;
  }
}
